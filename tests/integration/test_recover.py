"""Lost wake-ups are found and dispatched again, each once; what is merely waiting is left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from alertops.models import Attempt, Execution, Step
from alertops.services.acknowledge import acknowledge
from alertops.services.claim_attempt import Claim, claim_attempt
from alertops.services.dispatch import Message
from alertops.services.keys import AttemptKey
from alertops.services.operate import By
from alertops.services.recover import PAGE, Recovered
from tests.integration.recovering import NOTHING, Markers, Recover, Sessions, runner
from tests.integration.world import Broker, Publishing, Queue, World, down, node, refuse, take


@pytest.fixture
def run(world: World, sessions: Sessions) -> Recover:
    """On a broker that has its marker: only what was lost one by one is at stake."""
    run = runner(sessions, world, Markers())
    assert run() == NOTHING
    return run


def fired(world: World) -> Execution:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    return execution


def test_a_step_whose_dispatch_was_lost_is_dispatched_on_time_and_not_only_when_late(
    world: World, broker: Broker, run: Recover
) -> None:
    broker.on_publish = down
    execution = world.start(world.flow(node("a", 60)))
    broker.on_publish = take
    world.pass_time(execution, 6)
    assert run() == Recovered(never_dispatched=1)
    (message,) = broker.taken
    assert (message.task, message.args) == ("alertops.fire_step", (str(execution.id), 1))
    assert 53 < message.delay_seconds <= 54
    assert run() == NOTHING


def test_an_attempt_whose_dispatch_was_lost_is_dispatched(world: World, broker: Broker, run: Recover) -> None:
    execution = world.start(world.flow(node("a", 0)))
    broker.on_publish = down
    world.fire(execution, 1)
    broker.on_publish, broker.taken = take, []
    world.pass_time(execution, 6)
    assert run() == Recovered(never_dispatched=1)
    (message,) = broker.taken
    assert (message.task, message.args) == ("alertops.send_attempt", (str(execution.id), 1, 1, 1))
    assert (message.routing_key, message.delay_seconds) == ("send.email", 0)


def test_what_was_committed_a_moment_ago_is_still_being_dispatched_and_is_left_alone(
    world: World, broker: Broker, run: Recover
) -> None:
    broker.on_publish = down
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 4)
    broker.on_publish = take
    assert run() == NOTHING


def test_what_was_dispatched_and_is_not_due_or_only_just_is_left_alone(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 59)
    assert run() == NOTHING
    world.pass_time(execution, 5)
    assert run() == NOTHING


def test_what_is_overdue_by_more_than_the_grace_is_dispatched_at_once(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = world.start(world.flow(node("a", 60)))
    broker.taken = []
    world.pass_time(execution, 66)
    assert run() == Recovered(overdue=1)
    assert [message.delay_seconds for message in broker.taken] == [0]


def test_an_expired_lease_is_dispatched_and_a_running_one_is_not(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = fired(world)
    claim_attempt(world.session, AttemptKey(execution.id, 1, 1, 1), lease_seconds=15)
    world.pass_time(execution, 14)
    assert run() == NOTHING
    broker.taken = []
    world.pass_time(execution, 7)
    assert run() == Recovered(lease_expired=1)
    assert [message.args for message in broker.taken] == [(str(execution.id), 1, 1, 1)]
    assert isinstance(claim_attempt(world.session, AttemptKey(execution.id, 1, 1, 1), 15), Claim)


def test_a_backlog_is_dispatched_again_after_15_then_30_then_60_seconds(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 66)
    assert run() == Recovered(overdue=1)
    for pause in (15, 30, 60):
        world.pass_time(execution, pause - 1)
        assert run() == NOTHING
        world.pass_time(execution, 2)
        assert run() == Recovered(overdue=1)


def test_a_lost_worker_is_noticed_at_once_though_its_attempt_had_waited_in_a_backlog(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = fired(world)
    for pause in (6, 16, 31, 61):
        world.pass_time(execution, pause)
        assert run() is not None
    assert world.attempts(execution)[0].recovery_count == 4
    claim_attempt(world.session, AttemptKey(execution.id, 1, 1, 1), lease_seconds=15)
    world.pass_time(execution, 21)
    assert run() == Recovered(lease_expired=1)


def test_one_runner_at_a_time_and_the_next_may_run_when_it_is_done(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 66)
    second = []

    def run_meanwhile(messages: Sequence[Message]) -> list[bool]:
        second.append(run())
        return take(messages)

    broker.on_publish = run_meanwhile
    assert run() == Recovered(overdue=1)
    assert second == [None]
    world.pass_time(execution, 16)
    broker.on_publish = take
    assert run() == Recovered(overdue=1)


def test_adding_up_figures_keeps_nobody_from_repairing(run: Recover, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile: list[Recovered | None] = []

    def add_up(_: Session) -> None:
        monkeypatch.undo()
        meanwhile.append(run())

    monkeypatch.setattr("alertops.services.recover.add_up_figures", add_up)
    run()
    assert meanwhile == [NOTHING]


def test_a_runner_that_crashed_does_not_lock_the_others_out(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 66)

    def crash(_: Sequence[Message]) -> list[bool]:
        raise KeyboardInterrupt

    broker.on_publish = crash
    with pytest.raises(KeyboardInterrupt):
        run()
    broker.on_publish = take
    assert run() == Recovered(overdue=1)


LOST_STEPS = """
    WITH opened AS (
        INSERT INTO executions
            (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
        SELECT :team, :flow, 1, 'running', 'many', 'info', '{}', now() FROM generate_series(1, :rows)
        RETURNING id
    )
    INSERT INTO steps (execution_id, number, round, node_index, node_id, node_name, status, planned_at,
                       due_at, created_at)
    SELECT id, 1, 0, 0, 'n', 'n', 'waiting', ago, ago, ago
    FROM opened, (SELECT now() - interval '1 min' AS ago) AS _
"""
LOST_ATTEMPTS = """
    WITH fired AS (UPDATE steps SET status = 'fired', fired_at = now() RETURNING execution_id, due_at AS ago)
    INSERT INTO attempts (execution_id, step_number, target_number, number, channel, address, status,
                          due_at, created_at, lease_until)
    SELECT execution_id, 1, 1, 1, 'email', 'a@example.com', :status, ago, ago, ago FROM fired
"""
MANY = 2 * PAGE + 203


def lose_many(world: World, kind: str) -> None:
    """So many lost rows of a kind, all due at the very same time, which is the hardest to page."""
    flow = world.flow(node("a", 60))
    world.session.execute(text(LOST_STEPS), {"team": world.team.id, "flow": flow.id, "rows": MANY})
    if kind != "steps":
        status = "scheduled" if kind == "attempts" else "sending"
        world.session.execute(text(LOST_ATTEMPTS), {"status": status})
    world.session.commit()


@pytest.mark.parametrize("kind", ["steps", "attempts", "leases"])
def test_a_large_loss_is_dispatched_in_pages_every_row_exactly_once(
    world: World, broker: Broker, run: Recover, kind: str
) -> None:
    lose_many(world, kind)
    reason = "lease_expired" if kind == "leases" else "never_dispatched"
    assert run() == replace(NOTHING, **{reason: MANY})
    assert broker.batches == [PAGE, PAGE, 203]
    assert set(Counter(message.args for message in broker.taken).values()) == {1}
    assert len(broker.taken) == MANY
    assert run() == NOTHING


def test_rows_that_cannot_be_marked_are_not_dispatched_twice_in_one_run(
    world: World, sessions: Sessions, broker: Broker, run: Recover
) -> None:
    lose_many(world, "steps")
    with Queue(sessions, lambda holder: holder.execute(select(Step).with_for_update())):
        assert run() == Recovered(never_dispatched=MANY)
    assert len({message.args for message in broker.taken}) == len(broker.taken) == MANY


@pytest.mark.parametrize("failure", [down, refuse])
def test_a_broker_that_takes_nothing_is_not_asked_for_every_page_and_all_rows_stay(
    world: World, broker: Broker, run: Recover, failure: Publishing
) -> None:
    lose_many(world, "steps")
    broker.on_publish = failure
    assert run() == NOTHING
    assert broker.batches == [PAGE]
    untouched = select(func.count()).where(Step.dispatched_at.is_(None), Step.recovery_count == 0)
    assert world.session.scalar(untouched) == MANY
    world.session.commit()
    broker.on_publish = take
    assert run() == Recovered(never_dispatched=MANY)


def test_messages_that_no_queue_takes_keep_neither_their_page_nor_the_next_ones_back(
    world: World, broker: Broker, run: Recover
) -> None:
    lose_many(world, "steps")
    broker.on_publish = lambda messages: [False, *take(messages[1:])]
    assert run() == Recovered(never_dispatched=MANY - 3)
    assert len(broker.batches) == 3
    marked = select(func.count()).where(Step.dispatched_at.is_not(None))
    assert world.session.scalar(marked) == MANY - 3


def test_nothing_that_was_acknowledged_is_dispatched_but_a_lost_send_to_be_closed(
    world: World, broker: Broker, run: Recover
) -> None:
    broker.on_publish = down
    waits, sends = world.start(world.flow(node("a", 60))), fired(world)
    claim_attempt(world.session, AttemptKey(sends.id, 1, 1, 1), lease_seconds=15)
    broker.on_publish = take
    for execution in (waits, sends):
        acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
        world.pass_time(execution, 3600)
    assert run() == Recovered(lease_expired=1)
    world.send(sends, 1)
    assert [attempt.status for attempt in world.attempts(sends)] == ["cancelled"]
    for execution in (waits, sends):
        world.pass_time(execution, 3600)
    assert run() == NOTHING
    assert world.session.scalar(select(func.count()).where(Attempt.status == "sending")) == 0
