"""What is over is deleted when it is old; what can still be answered, or still does something, never."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import NotFoundError
from alertops.escalation.decision import Reason
from alertops.models import (
    Attempt,
    AuditEntry,
    Change,
    Execution,
    Flow,
    Integration,
    Invitation,
    Letter,
    LoginSession,
    MailToken,
    Outsider,
    Step,
    Throttle,
    TimelineEntry,
    Timer,
)
from alertops.services.acknowledge import acknowledge
from alertops.services.cancel import cancel
from alertops.services.claim_attempt import claim_attempt
from alertops.services.fire_step import fire_step
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from alertops.services.replay import replay
from alertops.services.resolve import resolve
from alertops.services.retention.over import Ages, sweeps
from alertops.services.retention.prune import count, prune
from alertops.services.send_attempt import send_attempt
from alertops.services.snooze import snooze
from tests.integration.recovering import Markers, Sessions, runner
from tests.integration.world import Broker, Queue, World, node

DAY = 24 * 3600
OLD = 100 * DAY
NINETY_DAYS = timedelta(days=90)
OF_AN_EXECUTION = (Step, Attempt, Timer, TimelineEntry)


def prune_all(
    session: Session, age: timedelta = NINETY_DAYS, audit: timedelta | None = None
) -> dict[str, int]:
    """What was deleted, by its name, for what there was any of."""
    now = database_now(session)
    session.rollback()
    deleted = {
        sweep.name: sum(batch.deleted for batch in prune(session, sweep, rest=lambda _: None))
        for sweep in sweeps(Ages(age, audit), now)
    }
    return {name: number for name, number in deleted.items() if number}


def exhausted(world: World, **settings: int) -> Execution:
    """Everybody was told, and nobody has answered."""
    execution = world.start(world.flow(node("a", 0), **settings))
    world.fire(execution, 1)
    world.send(execution, 1)
    assert world.status(execution) == "exhausted"
    return execution


def resolved(world: World) -> Execution:
    execution = exhausted(world)
    resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
    return execution


def in_flight(world: World, end: Callable[..., object]) -> tuple[Execution, AttemptKey]:
    """It was ended while a worker sent, and the worker has not been seen since."""
    execution = world.start(world.flow(node("a", 0)))
    world.fire(execution, 1)
    key = AttemptKey(execution.id, 1, 1, 1)
    claim_attempt(world.session, key, 15)
    end(world.session, world.dispatcher, execution.id, By(world.owner.id))
    return execution, key


def ids(session: Session) -> set[object]:
    found = set(session.scalars(select(Execution.id)))
    session.rollback()
    return found


def test_changes_that_were_told_long_ago_are_deleted(world: World) -> None:
    flow = world.flow(node("a"))
    integration = Integration(
        team_id=world.team.id,
        flow_id=flow.id,
        kind="pagerduty",
        name="Monitoring",
        prefix="key",
        hash=os.urandom(32),
        rules=[],
        created_by=world.owner.id,
    )
    world.session.add(integration)
    world.session.flush()
    now = database_now(world.session)
    for days in (89, 91):
        made = {"team_id": world.team.id, "integration_id": integration.id, "summary": f"{days} days ago"}
        world.session.add(Change(**made, details={}, created_at=now - timedelta(days=days)))
    world.session.commit()
    assert prune_all(world.session) == {"changes": 1}
    assert world.session.scalars(select(Change.summary)).all() == ["89 days ago"]


def test_what_is_over_goes_with_all_that_is_its_own_and_what_is_younger_stays(
    world: World, session: Session
) -> None:
    old = [
        exhausted(world),
        resolved(world),
        world.start(world.flow(node("a", 60), resolve_after_seconds=3600)),
    ]
    cancel(session, world.dispatcher, old[2].id, By(world.owner.id))
    young = resolved(world)
    for execution in old:
        world.pass_time(execution, OLD)
    world.pass_time(young, 89 * DAY)
    flows = session.scalar(select(func.count()).select_from(Flow))

    assert prune_all(session) == {"executions": 3}

    assert ids(session) == {young.id}
    for table in OF_AN_EXECUTION:
        assert set(session.scalars(select(table.execution_id))) <= {young.id}
    assert world.events(young)[-1] == "resolved"
    assert session.scalar(select(func.count()).select_from(Flow)) == flows


def running(world: World) -> Execution:
    return world.start(world.flow(node("a", 60)))


def acknowledged(world: World) -> Execution:
    execution = running(world)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    return execution


def snoozed(world: World) -> Execution:
    execution = running(world)
    until = database_now(world.session) + timedelta(days=1)
    snooze(world.session, world.dispatcher, execution.id, until, By(world.owner.id))
    return execution


def to_be_resolved_by_its_timer(world: World) -> Execution:
    return exhausted(world, resolve_after_seconds=90 * DAY)


def resolved_while_it_was_sent(world: World) -> Execution:
    return in_flight(world, resolve)[0]


def with_an_open_replay(world: World) -> Execution:
    execution = resolved(world)
    replay(world.session, world.dispatcher, execution.id, original=True, actor_id=world.owner.id)
    return execution


@pytest.mark.parametrize(
    "made",
    [
        running,
        acknowledged,
        snoozed,
        to_be_resolved_by_its_timer,
        resolved_while_it_was_sent,
        with_an_open_replay,
    ],
    ids=lambda made: made.__name__,
)
def test_what_still_does_something_is_kept_however_old(
    world: World, session: Session, made: Callable[[World], Execution]
) -> None:
    execution = made(world)
    world.pass_time(execution, OLD)
    assert prune_all(session) == {}
    assert execution.id in ids(session)


def test_what_nobody_answered_is_kept_as_long_as_the_link_in_its_mail_is_good(
    world: World, session: Session
) -> None:
    answerable, answered = exhausted(world), resolved(world)
    for execution in (answerable, answered):
        world.pass_time(execution, 6.9 * DAY)
    assert prune_all(session, timedelta(days=1)) == {"executions": 1}
    assert ids(session) == {answerable.id}
    world.pass_time(answerable, 0.2 * DAY)
    assert prune_all(session, timedelta(days=1)) == {"executions": 1}


def test_a_finished_replay_loses_the_name_of_what_it_repeated(world: World, session: Session) -> None:
    old = resolved(world)
    again = replay(session, world.dispatcher, old.id, original=True, actor_id=world.owner.id).execution
    resolve(session, world.dispatcher, again.id, By(world.owner.id))
    world.pass_time(old, OLD)
    assert prune_all(session) == {"executions": 1}
    session.refresh(again)
    assert again.replay_of is None


def test_a_stopped_run_has_kept_what_it_did_and_the_next_goes_on(world: World, session: Session) -> None:
    for _ in range(5):
        world.pass_time(resolved(world), OLD)
    sweep = next(sweeps(Ages(NINETY_DAYS), database_now(session)))

    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(prune(session, sweep, batch=2, rest=stop))
    session.rollback()
    assert count(session, sweep) == 3
    assert [batch.deleted for batch in prune(session, sweep, batch=2, rest=lambda _: None)] == [2, 1]


def test_what_is_kept_does_not_stand_in_the_way_of_what_is_not(world: World, session: Session) -> None:
    kept = [in_flight(world, resolve)[0] for _ in range(3)]
    for execution in kept:
        world.pass_time(execution, OLD + DAY)
    world.pass_time(resolved(world), OLD)
    sweep = next(sweeps(Ages(NINETY_DAYS), database_now(session)))
    batches = list(prune(session, sweep, batch=2, rest=lambda _: None))
    assert [(batch.deleted, batch.kept) for batch in batches] == [(0, 2), (1, 1)]
    assert ids(session) == {execution.id for execution in kept}


def test_an_answer_that_is_under_way_is_not_waited_for_and_not_lost(
    world: World, session: Session, sessions: Sessions
) -> None:
    execution = exhausted(world)
    world.pass_time(execution, OLD)
    with sessions() as other:
        lock_execution(other, execution.id)
        assert prune_all(session) == {}
        acknowledge(other, world.dispatcher, execution.id, By(world.owner.id))
    assert prune_all(session) == {}
    assert world.status(execution) == "acknowledged"


def test_an_answer_that_comes_too_late_is_told_that_there_is_nothing(
    world: World, session: Session, sessions: Sessions
) -> None:
    execution = exhausted(world)
    world.pass_time(execution, OLD)

    def delete_it(holder: Session) -> None:
        holder.execute(delete(Execution).where(Execution.id == execution.id))

    with Queue(sessions, delete_it) as queue:
        answer = queue.submit(lambda s: acknowledge(s, world.dispatcher, execution.id, By(world.owner.id)))
        again = queue.submit(
            lambda s: replay(s, world.dispatcher, execution.id, original=True, actor_id=world.owner.id)
        )
        queue.holder.commit()
    for late in (answer, again):
        with pytest.raises(NotFoundError):
            late.result()


def test_a_replay_that_is_under_way_keeps_what_it_repeats(
    world: World, session: Session, sessions: Sessions
) -> None:
    old = resolved(world)
    world.pass_time(old, OLD)
    with sessions() as other:
        lock_execution(other, old.id)
        assert prune_all(session) == {}
        replay(other, world.dispatcher, old.id, original=True, actor_id=world.owner.id)
    assert prune_all(session) == {}
    assert old.id in ids(session)


def test_it_gives_way_to_whoever_has_the_replay_locked_and_tries_again(
    world: World, session: Session, sessions: Sessions
) -> None:
    old = resolved(world)
    again = replay(session, world.dispatcher, old.id, original=True, actor_id=world.owner.id).execution
    resolve(session, world.dispatcher, again.id, By(world.owner.id))
    world.pass_time(old, OLD)
    with Queue(sessions, lambda holder: lock_execution(holder, again.id)) as queue:
        pruned = queue.submit(prune_all)
        # It has let its own lock go when this one is given: after half a second, before a deadlock's one.
        queue.holder.execute(text("SET LOCAL lock_timeout = '900ms'"))
        assert lock_execution(queue.holder, old.id) is not None
        queue.holder.commit()
    assert pruned.result() == {"executions": 1}


def test_what_a_worker_left_in_the_air_is_settled_by_recovery_and_goes_then(
    world: World, session: Session, sessions: Sessions, broker: Broker
) -> None:
    recover = runner(sessions, world, Markers())
    recover()
    execution, key = in_flight(world, resolve)
    world.pass_time(execution, OLD)
    assert prune_all(session) == {}
    recovered = recover()
    assert recovered is not None
    assert recovered.lease_expired == 1
    send_attempt(session, world.dispatcher, {}, world.timing, key)
    assert [attempt.status for attempt in world.attempts(execution)] == ["cancelled"]
    session.rollback()
    assert prune_all(session) == {"executions": 1}
    # Wake-ups that are still on their way find nothing, and leave.
    assert recover() is not None
    assert send_attempt(session, world.dispatcher, {}, world.timing, key) is Reason.STALE
    assert fire_step(session, world.dispatcher, StepKey(key.execution_id, 1)) is Reason.STALE


def test_two_runs_at_once_share_the_work(world: World, session: Session, sessions: Sessions) -> None:
    flow = world.flow(node("a", 60))
    session.execute(
        text(
            "INSERT INTO executions (team_id, flow_id, revision_number, status, summary, severity, details,"
            " anchor_at, ended_at) SELECT :team, :flow, 1, 'resolved', 's', 'info', '{}', now(),"
            " now() - interval '100 days' FROM generate_series(1, 3000)"
        ),
        {"team": world.team.id, "flow": flow.id},
    )
    session.commit()

    def run(_: int) -> int:
        with sessions() as own:
            sweep = next(sweeps(Ages(NINETY_DAYS), database_now(own)))
            return sum(batch.deleted for batch in prune(own, sweep, batch=100, rest=lambda _: None))

    with ThreadPoolExecutor(2) as pool:
        deleted = list(pool.map(run, range(2)))
    assert sum(deleted) == 3000
    assert min(deleted) > 0
    assert ids(session) == set()


@pytest.fixture
def things_that_had_their_day(world: World, session: Session) -> None:
    """Of each kind one that is over, and one that is not, or not for long enough."""
    now = database_now(session)
    ago = {days: now - timedelta(days=days) for days in (20, 40, 100)}
    outsider = Outsider(team_id=world.team.id, address="outside@example.org", stopped_at=ago[100])
    session.add(outsider)
    session.flush()
    mail = {"kind": "reset_password", "address": "a@example.org", "due_at": now}
    seat = {"team_id": world.team.id, "role": "viewer"}
    login = {"user_id": world.owner.id, "family_hash": b"", "current_hash": os.urandom(32)}
    session.add_all(
        [
            MailToken(hash=os.urandom(32), outsider_id=outsider.id, created_at=ago[40]),
            MailToken(hash=os.urandom(32), outsider_id=outsider.id, created_at=ago[20]),
            Letter(**mail, status="delivered", finished_at=ago[40], expires_at=ago[40]),
            Letter(**mail, status="delivered", finished_at=ago[20], expires_at=ago[20]),
            Letter(**mail, status="scheduled", expires_at=ago[40]),
            Invitation(**seat, email="1@e.org", status="revoked", expires_at=now, ended_at=ago[20]),
            Invitation(**seat, email="2@e.org", status="pending", expires_at=ago[20]),
            Invitation(**seat, email="3@e.org", status="pending", expires_at=now),
            Invitation(**seat, email="4@e.org", status="accepted", expires_at=ago[100]),
            LoginSession(**{**login, "family_hash": os.urandom(32)}, expires_at=now),
            LoginSession(**{**login, "family_hash": os.urandom(32)}, expires_at=now + timedelta(days=1)),
            Throttle(key=os.urandom(32), clear_at=now),
            Throttle(key=os.urandom(32), clear_at=now + timedelta(days=1)),
        ]
    )
    session.commit()


@pytest.mark.usefixtures("things_that_had_their_day")
def test_all_else_goes_when_it_is_of_no_use(session: Session) -> None:
    assert prune_all(session, timedelta(days=10)) == {
        "mail tokens": 1,  # a month, though everything else is kept for ten days
        "letters": 1,
        "invitations": 2,
        "login sessions": 1,
        "throttles": 1,
    }
    assert prune_all(session, timedelta(days=10)) == {}
    assert session.scalar(select(func.count()).select_from(Outsider)) == 1, (
        "who has stopped alerts is forgotten"
    )


@pytest.fixture
def audited(world: World, session: Session) -> None:
    entry = {"team_id": world.team.id, "actor_kind": "user", "actor_id": world.owner.id, "action": "a"}
    now = database_now(session)
    for days in (1, 364, 366, 800):
        at = now - timedelta(days=days)
        session.add(AuditEntry(**entry, subject="team", subject_id=world.team.id, at=at))
    session.commit()


@pytest.mark.usefixtures("audited")
def test_the_audit_log_is_kept_unless_it_is_said_for_how_long(session: Session) -> None:
    assert prune_all(session) == {}
    assert prune_all(session, audit=timedelta(days=730)) == {"audit log": 1}
    assert prune_all(session, audit=timedelta(days=365)) == {"audit log": 1}


@pytest.mark.usefixtures("audited")
def test_nobody_deletes_what_the_audit_log_says_of_the_last_year(session: Session) -> None:
    with pytest.raises(DBAPIError, match="a year of it is kept"):
        prune_all(session, audit=timedelta(days=363))
    session.rollback()
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == 4
