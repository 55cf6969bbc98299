"""What people do about executions: it does what it says, can be repeated, and is told with who and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import database_now
from alertops.errors import ConflictError, InvalidInputError
from alertops.escalation.decision import Reason
from alertops.escalation.states import ExecutionStatus
from alertops.models import Execution, Flow, FlowRevision, Membership, TimelineEntry, Timer, User
from alertops.services.access.actor import Person
from alertops.services.acknowledge import acknowledge
from alertops.services.add_note import add_note
from alertops.services.cancel import cancel
from alertops.services.escalate import escalate
from alertops.services.fire_timer import fire_timer
from alertops.services.flows.edit_flow import add_node, remove_node, reorder_nodes
from alertops.services.flows.lock_flow import Editor
from alertops.services.keys import TimerKey
from alertops.services.lock import lock_execution
from alertops.services.operate import Answered, By
from alertops.services.reassign import reassign_to_flow, reassign_to_user
from alertops.services.rebase import preview_rebase, rebase
from alertops.services.recover import Recovered, recover
from alertops.services.replay import replay
from alertops.services.resolve import resolve
from alertops.services.snooze import snooze
from alertops.services.unsnooze import unsnooze
from alertops.verify.history import within
from alertops.verify.promises import Verdict, judge_rows
from alertops.verify.read import read_histories
from tests.integration.recovering import Markers
from tests.integration.world import Broker, Queue, World, node

Sessions = sessionmaker[Session]
HOUR = timedelta(hours=1)


def do(world: World, verb: Any, execution: Execution, *arguments: Any, note: str | None = None) -> Answered:
    by = By(world.owner.id, note=note)
    answered: Answered = verb(world.session, world.dispatcher, execution.id, *arguments, by)
    world.session.expire_all()
    return answered


def told(world: World, execution: Execution, event: str) -> TimelineEntry:
    query = select(TimelineEntry).where(
        TimelineEntry.execution_id == execution.id, TimelineEntry.event == event
    )
    return world.session.scalars(query.order_by(TimelineEntry.id.desc())).first() or pytest.fail(event)


def timers(world: World, execution: Execution) -> list[tuple[str, str]]:
    query = select(Timer).where(Timer.execution_id == execution.id).order_by(Timer.number)
    return [(timer.kind, timer.status) for timer in world.session.scalars(query)]


def shape(world: World, execution: Execution) -> list[tuple[str, str]]:
    return [(step.node_name, step.status) for step in world.steps(execution)]


def fire_timers(world: World, execution: Execution) -> list[Reason]:
    """A wake-up for every timer that there ever was."""
    numbers = world.session.scalars(select(Timer.number).where(Timer.execution_id == execution.id)).all()
    found = [fire_timer(world.session, world.dispatcher, TimerKey(execution.id, n)) for n in numbers]
    world.session.expire_all()
    return found


class EmptyQueues:
    """Of a broker in which nothing waits: what is late was lost."""

    def ready(self) -> dict[str, int]:
        return {"fire": 0}


@pytest.fixture
def running(world: World) -> Execution:
    """Its first step has fired; the second is due in ten minutes, the third twenty minutes after that."""
    execution = world.start(world.flow(node("a", 0), node("b", 600), node("c", 1200)))
    world.fire(execution, 1)
    world.send(execution, 1)
    return execution


@pytest.fixture(autouse=True)
def promises(world: World) -> Any:
    """Whatever was done, the checker finds every promise kept."""
    yield
    verdict = Verdict()
    world.session.rollback()
    for history in read_histories(world.session, within(timedelta(minutes=1))):
        judge_rows(verdict, history)
    assert verdict.broken == []


# ---- acknowledge, with a timeout


def test_who_acknowledges_and_why_is_told(world: World, running: Execution) -> None:
    assert do(world, acknowledge, running, note="looking").changed
    entry = told(world, running, "acknowledged")
    assert (entry.actor_id, entry.detail) == (world.owner.id, {"came_from": "running", "note": "looking"})
    assert not do(world, acknowledge, running, note="again").changed


def test_what_nobody_resolves_in_time_comes_back_to_the_node_where_it_was_acknowledged(world: World) -> None:
    flow = world.flow(node("a", 0), node("b", 600), node("c", 60), ack_timeout_seconds=300)
    execution = world.start(flow)
    for step, delay in ((1, 600), (2, 0)):
        world.fire(execution, step)
        world.send(execution, step)
        world.pass_time(execution, delay)
    do(world, acknowledge, execution)
    assert timers(world, execution) == [("ack_timeout", "waiting")]
    world.pass_time(execution, 299)
    assert fire_timers(world, execution) == [Reason.EARLY]
    world.pass_time(execution, 31)
    assert fire_timers(world, execution) == [Reason.ACK_TIMED_OUT]
    assert fire_timers(world, execution) == [Reason.STALE]
    assert world.status(execution) == "running"
    assert shape(world, execution)[-1] == ("b", "waiting")
    back = world.steps(execution)[-1]
    # Anchored: due when the time was over, not when somebody noticed.
    timer = world.session.scalars(select(Timer).where(Timer.execution_id == execution.id)).one()
    assert back.due_at == timer.due_at
    world.fire(execution, back.number)
    assert shape(world, execution)[-1] == ("c", "waiting")
    assert world.steps(execution)[-1].due_at == back.due_at + timedelta(seconds=60)


def test_what_was_resolved_in_time_does_not_come_back(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), ack_timeout_seconds=300))
    do(world, acknowledge, execution)
    do(world, resolve, execution)
    world.pass_time(execution, 301)
    assert fire_timers(world, execution) == [Reason.STALE]
    assert world.status(execution) == "resolved"


def test_what_nobody_ends_is_resolved_by_time(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 6000), resolve_after_seconds=3600))
    world.fire(execution, 1)
    world.send(execution, 1)
    world.pass_time(execution, 3600)
    assert fire_timers(world, execution) == [Reason.RESOLVED_BY_TIME]
    assert world.status(execution) == "resolved"
    assert told(world, execution, "resolved").detail["reason"] == "resolved_by_time"
    assert shape(world, execution) == [("a", "fired"), ("b", "cancelled")]


def test_a_timer_whose_wake_up_was_lost_is_found_by_recovery(
    world: World, broker: Broker, sessions: Sessions, markers: Markers
) -> None:
    execution = world.start(world.flow(node("a", 60), node("b", 6000), ack_timeout_seconds=60))
    do(world, acknowledge, execution)
    world.pass_time(execution, 70)
    broker.taken = []
    found = recover(sessions, world.dispatcher, markers, EmptyQueues(), world.timing)
    assert found is not None
    assert found != Recovered()
    assert [message.task for message in broker.taken] == ["alertops.fire_timer"]
    assert fire_timers(world, execution) == [Reason.ACK_TIMED_OUT]


# ---- snooze


def test_a_snooze_silences_until_then_and_begins_again_where_it_was(world: World, running: Execution) -> None:
    world.pass_time(running, 60)
    until = database_now(world.session) + HOUR
    answered = do(world, snooze, running, until, note="maintenance")
    assert answered.changed
    assert (world.status(running), answered.execution.snoozed_until) == ("snoozed", until)
    assert shape(world, running) == [("a", "fired"), ("b", "cancelled")]
    assert not do(world, snooze, running, until).changed
    world.pass_time(running, 3600)
    assert fire_timers(world, running) == [Reason.SNOOZE_OVER]
    assert shape(world, running)[-1] == ("a", "waiting")
    world.fire(running, 3)
    again, following = world.steps(running)[-2:]
    assert (following.node_name, following.due_at - again.due_at) == ("b", timedelta(seconds=600))


def test_a_snooze_ends_when_somebody_wants_it_to(world: World, running: Execution) -> None:
    do(world, snooze, running, HOUR)
    assert do(world, unsnooze, running).changed
    assert not do(world, unsnooze, running).changed
    assert (world.status(running), timers(world, running)) == ("running", [("snooze", "cancelled")])
    assert world.steps(running)[-1].due_at <= database_now(world.session)


@pytest.mark.parametrize("until", [timedelta(0), -HOUR, timedelta(days=31)])
def test_a_snooze_is_within_the_next_days(world: World, running: Execution, until: timedelta) -> None:
    with pytest.raises(InvalidInputError):
        do(world, snooze, running, until)
    assert world.status(running) == "running"


# ---- escalate


def test_what_comes_next_fires_now_and_the_rest_counts_from_now(world: World, running: Execution) -> None:
    world.pass_time(running, 60)
    assert do(world, escalate, running, 2).changed
    assert not do(world, escalate, running, 2).changed
    assert world.fire(running, 2) is Reason.DUE
    fired, waiting = world.steps(running)[1:]
    assert waiting.due_at - fired.due_at == timedelta(seconds=1200)
    assert not do(world, escalate, running, 2).changed
    assert shape(world, running)[-1] == ("c", "waiting")


@pytest.mark.parametrize("step", [3, 99])
def test_another_step_than_the_next_one_is_refused(world: World, running: Execution, step: int) -> None:
    with pytest.raises(ConflictError, match="step 2 comes next"):
        do(world, escalate, running, step)


def test_what_was_acknowledged_can_be_escalated(world: World, running: Execution) -> None:
    do(world, acknowledge, running)
    assert do(world, escalate, running, 3).changed
    assert (world.status(running), shape(world, running)[-1]) == ("running", ("b", "waiting"))


# ---- reassign


def test_another_flow_takes_over_from_its_beginning(world: World, running: Execution) -> None:
    other = world.flow(node("x", 30), node("y", 60))
    do(world, reassign_to_flow, running, other.id)
    assert shape(world, running) == [("a", "fired"), ("b", "cancelled"), ("x", "waiting")]
    assert not do(world, reassign_to_flow, running, other.id).changed
    world.pass_time(running, 30)
    assert world.fire(running, 3) is Reason.DUE
    assert [attempt.address for attempt in world.attempts(running)][-1] == "x@example.com"
    assert world.session.get_one(Execution, running.id).flow_id == other.id


def test_what_was_under_way_when_it_was_reassigned_is_not_tried_again(world: World) -> None:
    running, other = world.start(world.flow(node("a", 0))), world.flow(node("x", 30))
    world.fire(running, 1)
    world.channel.on_open = lambda _: do(world, reassign_to_flow, running, other.id) and None
    world.send(running, 1)
    assert world.channel.accepted == []
    assert [attempt.status for attempt in world.attempts(running)] == ["cancelled"]
    assert world.status(running) == "running"


def test_a_member_is_told_at_once_and_then_it_is_exhausted(world: World, running: Execution) -> None:
    ann = User(email="ann@example.com", name="Ann", password_hash="-")
    world.session.add(ann)
    world.session.flush()
    world.session.add(Membership(team_id=world.team.id, user_id=ann.id, role="member"))
    world.session.commit()
    do(world, reassign_to_user, running, ann.id)
    assert not do(world, reassign_to_user, running, ann.id).changed
    assert shape(world, running)[-1] == ("handed to Ann", "waiting")
    world.fire(running, 3)
    world.send(running, 3)
    assert world.channel.accepted[-1].address == "ann@example.com"
    assert world.status(running) == "exhausted"
    with pytest.raises(InvalidInputError):
        do(world, reassign_to_user, running, world.team.id)


# ---- rebase


def editor(world: World) -> Editor:
    return Editor(Person(world.owner.id), None)


def flow_of(world: World, execution: Execution) -> Flow:
    return world.session.get_one(Flow, execution.flow_id)


def frozen_ids(world: World, execution: Execution) -> list[str]:
    revision = world.session.get_one(FlowRevision, (execution.flow_id, 1))
    return [node["id"] for node in revision.definition["nodes"]]


def added(name: str, delay: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "recipient": {"type": "email", "email": f"{name}@example.com"},
        "delay_seconds": delay,
        "retry": {},
        "on_failure": "escalate",
        "on_unknown": "resend",
    }


def test_a_rebase_is_told_before_and_then_done(world: World, running: Execution) -> None:
    add_node(world.session, flow_of(world, running), editor(world), added("x", 60), 1)
    told_before = preview_rebase(world.session, running.id)
    assert (told_before.from_revision, told_before.to_revision) == (1, 2)
    assert [step.node_name for step in told_before.before] == ["b", "c"]
    assert [step.node_name for step in told_before.after] == ["x", "b", "c"]
    assert shape(world, running) == [("a", "fired"), ("b", "waiting")]
    assert do(world, rebase, running, 2).changed
    assert not do(world, rebase, running, 2).changed
    assert shape(world, running) == [("a", "fired"), ("x", "waiting")]
    assert world.steps(running)[-1].due_at == told_before.after[0].due_at


def test_a_node_that_would_have_been_due_fires_at_once_and_once(world: World, running: Execution) -> None:
    world.pass_time(running, 600)
    world.fire(running, 2)
    add_node(world.session, flow_of(world, running), editor(world), added("x", 60), 1)
    do(world, rebase, running, 2)
    assert shape(world, running)[-1] == ("x", "waiting")
    assert world.fire(running, 3) is Reason.DUE
    # The rest is where the new plan has it: b has fired already, and c is due from the same anchor.
    assert shape(world, running) == [("a", "fired"), ("b", "fired"), ("x", "fired"), ("c", "waiting")]
    anchor = world.steps(running)[0].planned_at
    assert world.steps(running)[-1].due_at == anchor + timedelta(seconds=60 + 600 + 1200)


def test_a_node_that_was_removed_is_not_fired_and_reordered_ones_fire_once(
    world: World, running: Execution
) -> None:
    a, b, c = frozen_ids(world, running)
    reorder_nodes(world.session, flow_of(world, running), editor(world), [c, a, b])
    remove_node(world.session, flow_of(world, running), editor(world), b)
    do(world, rebase, running, 3)
    assert shape(world, running) == [("a", "fired"), ("c", "waiting")]
    world.pass_time(running, 1200)
    world.fire(running, 2)
    world.send(running, 2)
    assert world.status(running) == "exhausted"


def test_what_has_nothing_left_after_a_rebase_ends(world: World, running: Execution) -> None:
    for node_id in frozen_ids(world, running)[1:]:
        remove_node(world.session, flow_of(world, running), editor(world), node_id)
    do(world, rebase, running, 3)
    assert (world.status(running), shape(world, running)) == (
        "exhausted",
        [("a", "fired"), ("b", "cancelled")],
    )


def test_a_rebase_for_a_revision_that_is_not_the_newest_is_refused(world: World, running: Execution) -> None:
    add_node(world.session, flow_of(world, running), editor(world), added("x"))
    with pytest.raises(ConflictError, match="newest revision is 2, not 1"):
        do(world, rebase, running, 1)


# ---- who, and why


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("verb", [escalate, reassign_to_flow, rebase])
def test_who_changed_the_course_and_why_is_told_once(
    world: World, running: Execution, verb: Any, acknowledged: bool
) -> None:
    if acknowledged:
        do(world, acknowledge, running)
    add_node(world.session, flow_of(world, running), editor(world), added("x"))
    arguments = {
        escalate: 3 if acknowledged else 2,
        reassign_to_flow: world.flow(node("y", 30)).id,
        rebase: 2,
    }
    assert do(world, verb, running, arguments[verb], note="why").changed
    query = select(TimelineEntry).where(TimelineEntry.execution_id == running.id)
    said = [entry for entry in world.session.scalars(query) if entry.detail.get("note") == "why"]
    assert [entry.actor_id for entry in said] == [world.owner.id]


# ---- replay, notes, cancel


def test_the_same_alert_runs_once_more(world: World, running: Execution) -> None:
    do(world, resolve, running)
    add_node(world.session, flow_of(world, running), editor(world), added("x"))
    replayed = {}
    for original in (True, False):
        started = replay(
            world.session, world.dispatcher, running.id, original=original, actor_id=world.owner.id
        )
        assert started.created
        replayed[original] = started.execution
        again = replay(
            world.session, world.dispatcher, running.id, original=original, actor_id=world.owner.id
        )
        assert (again.created, again.execution.id) == (False, started.execution.id)
        do(world, cancel, started.execution)
    assert {original: row.revision_number for original, row in replayed.items()} == {True: 1, False: 2}
    assert replayed[True].summary == running.summary
    assert told(world, running, "replayed").detail["execution_id"] == str(replayed[False].id)


def test_what_runs_is_not_replayed(world: World, running: Execution) -> None:
    with pytest.raises(ConflictError, match="goes on"):
        replay(world.session, world.dispatcher, running.id, original=True, actor_id=world.owner.id)


def test_the_same_words_of_the_same_person_are_one_note(world: World, running: Execution) -> None:
    first, second, other = (
        add_note(world.session, running.id, text, world.owner.id).id for text in ("one", "one", "two")
    )
    assert first == second != other


@pytest.mark.parametrize(
    ("verb", "arguments", "status"),
    [
        (acknowledge, (), "cancelled"),
        (resolve, (), "cancelled"),
        (cancel, (), "resolved"),
        (snooze, (HOUR,), "resolved"),
        (unsnooze, (), "acknowledged"),
        (escalate, (2,), "resolved"),
    ],
)
def test_what_a_state_does_not_allow_is_refused_with_what_is_possible(
    world: World, running: Execution, verb: Any, arguments: tuple[Any, ...], status: str
) -> None:

    do(world, {"cancelled": cancel, "resolved": resolve, "acknowledged": acknowledge}[status], running)
    before = world.events(running)
    with pytest.raises(ConflictError) as refused:
        do(world, verb, running, *arguments)
    assert refused.value.facts["status"] == status
    assert refused.value.facts["possible"]
    assert (world.status(running), world.events(running)) == (status, before)


# ---- two at once


def queue_for(world: World, sessions: Sessions, execution: Execution) -> Queue:
    id_ = execution.id
    return Queue(sessions, lambda holder: lock_execution(holder, id_))


def test_two_who_escalate_at_once_skip_nobody(world: World, sessions: Sessions, running: Execution) -> None:
    id_, by = running.id, By(world.owner.id)
    with queue_for(world, sessions, running) as queue:
        answers = [
            queue.submit(lambda session: escalate(session, world.dispatcher, id_, 2, by)) for _ in range(2)
        ]
    assert [answer.result().changed for answer in answers] == [True, False]
    assert shape(world, running) == [("a", "fired"), ("b", "waiting")]


def test_a_timer_that_waited_for_a_resolve_does_nothing(world: World, sessions: Sessions) -> None:
    execution = world.start(world.flow(node("a", 0), ack_timeout_seconds=60))
    do(world, acknowledge, execution)
    world.pass_time(execution, 61)
    id_, by = execution.id, By(world.owner.id)
    with queue_for(world, sessions, execution) as queue:
        queue.submit(lambda session: resolve(session, world.dispatcher, id_, by))
        timer = queue.submit(lambda session: fire_timer(session, world.dispatcher, TimerKey(id_, 1)))
    assert timer.result() is Reason.STALE
    assert world.status(execution) == ExecutionStatus.RESOLVED


def test_a_resolve_that_waited_for_a_timer_ends_what_came_back(world: World, sessions: Sessions) -> None:
    execution = world.start(world.flow(node("a", 0), ack_timeout_seconds=60))
    do(world, acknowledge, execution)
    world.pass_time(execution, 61)
    id_, by = execution.id, By(world.owner.id)
    with queue_for(world, sessions, execution) as queue:
        timer = queue.submit(lambda session: fire_timer(session, world.dispatcher, TimerKey(id_, 1)))
        queue.submit(lambda session: resolve(session, world.dispatcher, id_, by))
    assert timer.result() is Reason.ACK_TIMED_OUT
    assert world.status(execution) == "resolved"
    assert "waiting" not in [step.status for step in world.steps(execution)]
