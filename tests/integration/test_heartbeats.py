"""A job that does not ping in time starts its flow: once, not early, and at no cost for each ping."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import database_now
from alertops.escalation.decision import Reason
from alertops.models import Execution, Heartbeat, TimelineEntry
from alertops.services.access.actor import Asking, Person
from alertops.services.access.permissions import Action
from alertops.services.alert_limit import AlertLimit
from alertops.services.heartbeats.change_heartbeat import delete_heartbeat
from alertops.services.heartbeats.check_heartbeat import Found
from alertops.services.maintenance.declare import declare_maintenance
from alertops.services.operate import By
from alertops.services.resolve import resolve
from tests.integration.counting import counted
from tests.integration.heartbeating import EVERY, GRACE, Job, wake_ups
from tests.integration.world import Broker, World, node

Sessions = sessionmaker[Session]


@pytest.fixture
def job(world: World, sessions: Sessions) -> Job:
    return Job(world, sessions)


def count_executions(world: World) -> int:
    world.session.rollback()
    return len(world.session.scalars(select(Execution.id)).all())


def said(world: World, execution: Execution, event: str) -> TimelineEntry:
    query = select(TimelineEntry).where(
        TimelineEntry.execution_id == execution.id, TimelineEntry.event == event
    )
    return world.session.scalars(query).one()


def test_a_job_that_never_pinged_is_not_watched(job: Job, broker: Broker) -> None:
    row = job.row
    assert (row.status, row.last_ping_at, row.due_at, row.wake_at) == ("new", None, None, None)
    job.pass_time(10 * EVERY)
    assert job.wake() is Found.STALE
    assert broker.taken == []


def test_the_first_ping_is_when_it_begins_to_be_watched(job: Job, broker: Broker) -> None:
    assert job.ping() == "up"
    row = job.row
    assert row.last_ping_at is not None
    assert row.due_at == row.wake_at == row.last_ping_at + timedelta(seconds=EVERY + GRACE)
    [(number, delay)] = wake_ups(broker.taken)
    assert number == row.wake_number == 1
    assert EVERY + GRACE - 5 < delay <= EVERY + GRACE
    assert row.dispatched_at is not None


def test_a_job_that_falls_silent_starts_its_flow_once(world: World, job: Job) -> None:
    execution = job.miss()
    row = job.row
    assert (row.status, row.execution_id) == ("missing", execution.id)
    assert row.missed_at is not None
    assert row.due_at is not None
    assert row.missed_at >= row.due_at
    assert (execution.summary, execution.severity) == ("Backup is silent", "error")
    assert execution.dedup_key == f"heartbeat:{job.id}"
    assert datetime.fromisoformat(execution.details["due_at"]) == row.due_at
    started = said(world, execution, "started")
    assert (started.actor_id, started.detail["heartbeat"]) == (job.id, "Backup")
    assert [job.wake(), job.wake(1), job.wake(2)] == [Found.STALE] * 3
    assert count_executions(world) == 1
    assert world.fire(execution, 1) is Reason.DUE


def test_who_pings_again_is_told_of_no_more(world: World, job: Job) -> None:
    execution = job.miss()
    world.fire(execution, 1)
    assert job.ping() == "up"
    row = job.row
    assert (row.status, row.missed_at, row.execution_id) == ("up", None, None)
    assert world.status(execution) == "resolved"
    resolved = said(world, execution, "resolved")
    assert (resolved.actor_id, resolved.detail) == (job.id, {"came_from": "running", "heartbeat": "Backup"})
    assert [step.status for step in world.steps(execution)] == ["fired", "cancelled"]
    job.pass_time(EVERY + GRACE)
    assert job.wake() is Found.MISSING
    assert job.execution.id != execution.id


def test_what_people_want_to_end_themselves_goes_on(world: World, sessions: Sessions) -> None:
    job = Job(world, sessions, resolve_on_ping=False)
    execution = job.miss()
    assert job.ping() == "up"
    assert world.status(execution) == "running"
    # Silent again, while that is open: it is one alert that has been repeated.
    job.pass_time(EVERY + GRACE)
    assert job.wake() is Found.MISSING
    again = job.execution
    assert (again.id, again.alert_count) == (execution.id, 2)


def test_what_somebody_has_ended_stays_ended(world: World, job: Job) -> None:
    execution = job.miss()
    resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert job.ping() == "up"
    assert world.events(execution).count("resolved") == 1


def test_nobody_is_missing_before_the_time(job: Job, world: World, broker: Broker) -> None:
    job.ping()
    job.pass_time(EVERY + GRACE - 5)
    broker.taken.clear()
    assert job.wake() is Found.EARLY
    [(number, delay)] = wake_ups(broker.taken)
    assert (number, 0 < delay <= 5) == (1, True)
    assert (job.row.status, count_executions(world)) == ("up", 0)


def test_many_pings_are_one_wake_up_a_period(job: Job, broker: Broker) -> None:
    """A job that pings every two seconds, for eight minutes."""
    job.ping()
    for _ in range(240):
        job.pass_time(2)
        assert job.ping() == "up"
        row = job.row
        if row.wake_at is not None and row.wake_at <= database_now(job.world.session):
            assert job.wake() is Found.PINGED
    messages = wake_ups(broker.taken)
    assert [number for number, _ in messages] == list(range(1, len(messages) + 1))
    # From ping to ping + period: the next look is nearly a period after this one.
    assert len(messages) <= 2 + 480 // (EVERY + GRACE - 2)
    assert count_executions(job.world) == 0


def test_a_ping_costs_four_statements_and_one_commit_and_one_too_many_nothing(
    job: Job, sessions: Sessions, broker: Broker
) -> None:
    """What locks, raises the wall, asks for the time, and writes."""
    job.ping()
    job.pass_time(2)
    with counted(sessions.kw["bind"]) as pinged:
        job.ping()
    with counted(sessions.kw["bind"]) as again:
        job.ping()
    assert (pinged.statements, pinged.flushes, again.flushes) == (4, 1, 0)
    assert len(broker.taken) == 1


def test_pings_within_a_second_are_one_and_none_is_late_by_that(job: Job, broker: Broker) -> None:
    job.ping()
    first = job.row.last_ping_at
    assert {job.ping() for _ in range(20)} == {"up"}
    assert job.row.last_ping_at == first
    assert len(broker.taken) == 1
    job.pass_time(1.1)
    job.ping()
    assert job.row.last_ping_at != first


def test_a_wake_up_that_was_overtaken_does_nothing_and_wakes_nobody(job: Job, broker: Broker) -> None:
    job.ping()
    job.pass_time(EVERY)
    job.ping()
    job.pass_time(GRACE)
    assert job.wake(1) is Found.PINGED
    broker.taken.clear()
    assert job.wake(1) is Found.STALE
    job.pass_time(EVERY)
    assert job.wake(1) is Found.STALE
    assert broker.taken == []
    assert job.wake(2) is Found.MISSING


def test_a_ping_that_comes_late_and_before_anybody_has_looked_is_in_time(job: Job, world: World) -> None:
    job.ping()
    job.pass_time(EVERY + GRACE + 3)
    assert job.ping() == "up"
    assert job.wake() is Found.PINGED
    assert count_executions(world) == 0


def test_a_shorter_period_counts_from_the_last_ping_with_a_wake_up_of_its_own(
    job: Job, broker: Broker
) -> None:
    job.ping()
    job.pass_time(20)
    broker.taken.clear()
    job.change(every_seconds=30)
    row = job.row
    assert row.last_ping_at is not None
    assert row.due_at == row.wake_at == row.last_ping_at + timedelta(seconds=30 + GRACE)
    [(number, delay)] = wake_ups(broker.taken)
    assert (number, 15 < delay <= 20) == (2, True)
    assert job.wake(1) is Found.STALE
    job.pass_time(20)
    assert job.wake(2) is Found.MISSING


def test_who_shortens_it_is_not_told_of_pings_that_nobody_had_asked_for(job: Job, world: World) -> None:
    job.ping()
    job.pass_time(50)
    now = database_now(world.session)
    job.change(every_seconds=20)
    due_at = job.row.due_at
    assert due_at is not None
    assert due_at >= now + timedelta(seconds=20 + GRACE)


def test_a_longer_period_needs_no_message(job: Job, broker: Broker) -> None:
    job.ping()
    broker.taken.clear()
    job.change(every_seconds=3600)
    row = job.row
    assert row.due_at is not None
    assert row.wake_at is not None
    assert row.due_at - row.wake_at == timedelta(seconds=3600 - EVERY)
    assert broker.taken == []
    job.pass_time(EVERY + GRACE)
    assert job.wake() is Found.PINGED
    job.change(name="Nightly")
    assert job.row.wake_number == 2


def test_who_is_paused_is_not_missed_and_is_expected_again_when_resumed(job: Job, broker: Broker) -> None:
    job.ping()
    job.change(paused=True)
    job.pass_time(EVERY + GRACE)
    row = job.row
    assert (row.status, row.due_at, row.wake_at) == ("paused", None, None)
    assert job.wake() is Found.STALE
    broker.taken.clear()
    job.change(paused=False)
    [(number, delay)] = wake_ups(broker.taken)
    assert (job.row.status, number, delay > EVERY) == ("up", 2, True)
    job.pass_time(EVERY + GRACE)
    assert job.wake() is Found.MISSING


def test_a_ping_while_paused_is_noted_and_resumes_nothing(job: Job, broker: Broker) -> None:
    job.change(paused=True)
    assert job.ping() == "paused"
    assert job.row.last_ping_at is not None
    assert broker.taken == []


def test_who_never_pinged_before_it_was_paused_is_new_again(job: Job) -> None:
    job.change(paused=True)
    job.change(paused=False, name="Nightly")
    row = job.row
    assert (row.status, row.name) == ("new", "Nightly")


def test_pausing_who_is_missing_leaves_the_alert_to_people_or_to_the_next_ping(
    job: Job, world: World
) -> None:
    execution = job.miss()
    job.change(paused=True)
    assert world.status(execution) == "running"
    assert job.ping() == "paused"
    assert world.status(execution) == "resolved"


def test_what_is_deleted_is_missed_by_nobody(job: Job, world: World) -> None:
    job.ping()
    asking = Asking(Person(world.owner.id), Action.EDIT_FLOWS)
    delete_heartbeat(world.session, asking, job.id)
    with job.sessions() as session:
        assert session.get(Heartbeat, job.id) is None
    assert count_executions(world) == 0


def test_in_maintenance_a_silent_job_tells_nobody_until_it_is_over(job: Job, world: World) -> None:
    ends_at = database_now(world.session) + timedelta(hours=1)
    asking = Asking(Person(world.owner.id), Action.DECLARE_MAINTENANCE)
    declare_maintenance(world.session, asking, world.team.id, name="Upgrade", mode="hold", ends_at=ends_at)
    execution = job.miss()
    assert (execution.status, execution.snoozed_until) == ("snoozed", ends_at)
    job.ping()
    assert world.status(execution) == "resolved"


def test_a_team_beyond_its_limit_is_told_when_the_limit_lets_it(
    job: Job, world: World, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = AlertLimit(6000)
    job.ping()
    job.pass_time(EVERY + GRACE)
    broker.taken.clear()
    monkeypatch.setattr(limit, "wait", lambda _: 7)
    assert job.wake(limit=limit) is Found.PUT_OFF
    [(number, delay)] = wake_ups(broker.taken)
    assert (number, 5 < delay <= 7) == (2, True)
    assert (job.row.status, count_executions(world)) == ("up", 0)
    monkeypatch.setattr(limit, "wait", lambda _: 0)
    job.pass_time(7)
    assert job.wake(limit=limit) is Found.MISSING


def test_a_broker_that_is_down_takes_no_ping_back(job: Job, broker: Broker) -> None:
    broker.on_publish = lambda messages: [False] * len(messages)
    assert job.ping() == "up"
    row = job.row
    assert (row.status, row.dispatched_at) == ("up", None)


def test_a_miss_is_all_or_nothing(job: Job, world: World) -> None:
    """The execution begins in the transaction that says so: with a flow that is gone neither happens."""
    job.ping()
    job.pass_time(EVERY + GRACE)
    world.session.execute(text("UPDATE flows SET archived_at = now()"))
    world.session.commit()
    assert job.wake() is Found.STALE
    assert (job.row.status, count_executions(world)) == ("up", 0)
    world.session.execute(text("UPDATE flows SET archived_at = NULL"))
    world.session.commit()
    assert job.wake() is Found.MISSING


def test_two_jobs_of_a_flow_are_two_alerts(world: World, sessions: Sessions) -> None:
    flow = world.flow(node("a", 0))
    first, second = (Job(world, sessions, flow=flow, name=name) for name in ("Backup", "Mail"))
    first.miss()
    second.miss()
    assert count_executions(world) == 2
    first.ping()
    assert [first.row.status, second.row.status] == ["up", "missing"]
