"""No statement on the way of an alert costs more as the history grows.

All that the services say to the database is asked for its plan, at the moment and with the values with which
it is said, on tables with a long history: no growing table is read through, and hardly a row in vain.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, event, text, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.answer_links import LinkedTarget
from alertops.channels.base import ChannelError, Notification
from alertops.db import database_now, session_factory
from alertops.escalation.states import ExecutionStatus
from alertops.models import EventDelivery, Execution
from alertops.schema import migrate
from alertops.services.access.actor import Monitor, Person
from alertops.services.access.wall import raise_the_wall
from alertops.services.accounts.open_session import Client
from alertops.services.acknowledge import acknowledge
from alertops.services.add_note import add_note
from alertops.services.cancel import cancel
from alertops.services.deliveries.standing import Told
from alertops.services.dispatch import Dispatcher
from alertops.services.escalate import escalate
from alertops.services.find_linked import find_linked
from alertops.services.fire_timer import fire_timer
from alertops.services.intake.find_unresolved import lock_unresolved
from alertops.services.integrations.authenticate_integration import WayIn
from alertops.services.keys import TimerKey
from alertops.services.measure import measure
from alertops.services.operate import By
from alertops.services.pages import executions_of, timeline_of
from alertops.services.replay import replay
from alertops.services.resolve import resolve
from alertops.services.retention.over import Ages, sweeps
from alertops.services.retention.prune import prune
from alertops.services.show_execution import show_execution
from alertops.services.snooze import snooze
from alertops.services.start_execution import Alert, start_execution
from alertops.services.storms.grouped_alerts import end_alerts
from alertops.services.storms.show_alerts import show_alerts
from alertops.services.tell_story import tell_story
from alertops.services.unsnooze import unsnooze
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import PrivateStack
from tests.history import write_history
from tests.integration.conftest import RecordingPublisher
from tests.integration.raw_http import TAKEN, answer, raw_receiver
from tests.integration.recovering import Markers, runner
from tests.integration.subscribing import Post, subscribe
from tests.integration.test_metrics_cost import scans
from tests.integration.test_recovery_cost import removed
from tests.integration.world import World, node

FINISHED = 20_000
OPEN = 50
GROWING = {
    *("executions", "steps", "attempts", "timers", "timeline", "grouped_alerts"),
    *("letters", "mail_tokens", "audit_log", "event_deliveries"),
}
# Rows that one statement may read in vain: more than are open, and a hundredth of the history.
IN_VAIN = 200

SEQUENTIAL = text("SELECT relname, seq_scan FROM pg_stat_user_tables")


@dataclass
class Plans:
    """What was said to the database, and how it was answered: statements, and what was bad about them."""

    said: set[str] = field(default_factory=set)
    bad: dict[str, str] = field(default_factory=dict)

    def note(self, _connection: Any, cursor: Any, sql: str, values: Any, *_: Any) -> None:
        # A lock and what is read under it are sent together.
        for statement in sql.split(";\n"):
            if statement.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "EXECUTE")):
                self._judge(cursor.connection, statement, values[0] if isinstance(values, list) else values)

    def _judge(self, connection: Any, sql: str, values: Any) -> None:
        plan = _explained(connection, sql, values)
        sql = _whole(connection, sql)
        self.said.add(sql)
        through = {table for kind, table in scans(plan) if kind == "Seq Scan"} & GROWING
        if through:
            self.bad[sql] = f"reads through {', '.join(sorted(through))}"
        elif removed(plan) > IN_VAIN:
            self.bad[sql] = f"reads {removed(plan)} rows in vain"

    def about(self, words: str) -> bool:
        return any(words in sql for sql in self.said)


def _explained(connection: Any, sql: str, values: Any) -> dict[str, Any]:
    """How it is carried out here and now; what it did is undone."""
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT explained")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        plan: dict[str, Any] = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("ROLLBACK TO SAVEPOINT explained")
        cursor.execute("RELEASE SAVEPOINT explained")
    return plan


def _whole(connection: Any, sql: str) -> str:
    """What a statement says that was prepared, and is called by its name."""
    if not sql.startswith("EXECUTE"):
        return sql
    with connection.cursor() as cursor:
        name = sql.removeprefix("EXECUTE ").partition("(")[0]
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE name = %s", (name,))
        text: str = cursor.fetchone()[0]
        return text


@pytest.fixture(scope="module")
def engine(stack: PrivateStack) -> Iterator[Engine]:
    """A database of its own: to write its history takes a while, and to delete it for other tests too."""
    server, name = stack.addresses.database_url, f"alertops_past_{os.getpid()}"
    engine: Engine = session_factory(create_database(server, name)).kw["bind"]
    with engine.connect() as connection:
        migrate(connection)
    yield engine
    engine.dispose()
    drop_database(server, name)


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    """Many that are over, some that run, and a planner that knows."""
    publisher = RecordingPublisher()
    with sessionmaker(engine, expire_on_commit=False)() as session:
        world = World(session, Dispatcher(publisher), publisher)
        flow = world.flow(node("a", 0), node("b", 600))
        with engine.connect() as connection:
            write_history(connection, world.team.id, flow.id, FINISHED)
        for number in range(OPEN):
            execution = world.start(flow, f"open-{number}")
            world.fire(execution, 1)
            world.send(execution, 1)
        session.execute(text(f"ANALYZE {', '.join(GROWING)}"))
        session.commit()
        yield world


@pytest.fixture
def walled(engine: Engine, world: World) -> Iterator[Session]:
    """As requests read and write: behind the wall, which has a say in every plan."""
    with sessionmaker(engine, expire_on_commit=False)() as session:
        raise_the_wall(session, Person(world.owner.id))
        yield session


@pytest.fixture
def plans(engine: Engine, world: World) -> Iterator[Plans]:
    plans = Plans()
    event.listen(engine, "before_cursor_execute", plans.note)
    world.session.rollback()
    yield plans
    world.session.rollback()
    event.remove(engine, "before_cursor_execute", plans.note)


def assert_good(plans: Plans) -> None:
    assert plans.bad == {}, "\n\n".join(f"{why}: {sql}" for sql, why in plans.bad.items())


def drop_the_line(_: Notification) -> None:
    raise ChannelError("the line is dead")


def test_the_way_of_an_alert(world: World, plans: Plans) -> None:
    flow = world.flow(node("a", 0), node("b", 600), ack_timeout_seconds=600, resolve_after_seconds=3600)
    execution = world.start(flow, "disk-7")
    assert world.start(flow, "disk-7").id == execution.id
    world.fire(execution, 1)
    world.channel.on_transmit = drop_the_line
    world.send(execution, 1)
    world.channel.on_transmit = lambda _: None
    world.pass_time(execution, 60)
    world.send(execution, 1, 2)
    world.pass_time(execution, 600)
    world.fire(execution, 2)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    world.send(execution, 2)
    world.pass_time(execution, 3600)
    for number in (1, 2):
        fire_timer(world.session, world.dispatcher, TimerKey(execution.id, number))
    assert world.status(execution) == "resolved"
    for words in ("INSERT INTO executions", "INSERT INTO attempts", "UPDATE attempts SET status", "timers"):
        assert plans.about(words)
    assert_good(plans)


def test_a_storm(world: World, plans: Plans) -> None:
    session, flow = world.session, world.flow(node("a", 0), group_by=("details.host",))
    integration = WayIn(Monitor(uuid4(), world.team.id), "CI", flow.id, [], None)
    execution = world.start(flow, "load-1")
    world.start(flow, "load-1")
    assert world.start(flow, "load-2").id == execution.id
    assert show_alerts(session, execution, limit=1).alerts == 2
    found = lock_unresolved(session, integration, ["load-1", "load-2"])
    ended = [(each, key) for key, executions in found.items() for each in executions]
    assert end_alerts(session, ended) == [execution.id]
    session.rollback()
    resolve(session, world.dispatcher, execution.id, By(world.owner.id))
    assert plans.about("UPDATE grouped_alerts")
    assert_good(plans)


def test_what_people_do(world: World, walled: Session, plans: Plans) -> None:
    session, dispatcher, by = walled, world.dispatcher, By(world.owner.id)
    alert = Alert("Disk is full", "error", {}, "disk-8")
    flow = world.flow(node("a", 60), node("b", 600))
    execution = start_execution(session, dispatcher, flow, alert, world.owner.id).execution
    escalate(session, dispatcher, execution.id, 1, by)
    snooze(session, dispatcher, execution.id, database_now(session) + timedelta(hours=1), by)
    unsnooze(session, dispatcher, execution.id, by)
    add_note(session, execution.id, "it is the raid again", world.owner.id)
    resolve(session, dispatcher, execution.id, by)
    again = replay(session, dispatcher, execution.id, original=False, actor_id=world.owner.id).execution
    cancel(session, dispatcher, again.id, by)
    assert_good(plans)


def test_what_people_read(world: World, walled: Session, plans: Plans) -> None:
    session = walled
    for status in (None, *ExecutionStatus):
        page = executions_of(session, world.team.id, limit=20, status=status)
        executions_of(session, world.team.id, limit=20, after=page.next, status=status)
    running = executions_of(session, world.team.id, limit=1, status="running").items[0]
    show_execution(session, running)
    told = timeline_of(session, running.id, limit=1)
    timeline_of(session, running.id, limit=1, after=told.next or 0)
    target = LinkedTarget(running.id, 1, 1)
    tell_story(session, find_linked(session, target, Client("127.0.0.1", "a browser")))
    assert plans.about("FROM timeline")
    assert_good(plans)


def test_what_subscribers_are_told(world: World, plans: Plans) -> None:
    with raw_receiver(answer("503 Busy"), TAKEN) as receiver:
        subscription = subscribe(world, receiver.url())
        execution = world.start(world.flow(node("a", 600)), "disk-6")
        resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
        post = Post(world)
        # To explain a statement carries it out: what that announced was undone, and is nothing.
        assert [told for told in post.run() if told is not Told.NOTHING] == [Told.FAILED, Told.BEHIND]
        due_now = update(EventDelivery).where(EventDelivery.execution_id == execution.id)
        world.session.execute(due_now.values(due_at=database_now(world.session)))
        world.session.commit()
        retry = world.publisher.messages[-1]
        assert post.send(UUID(str(retry.args[0]))) is Told.DELIVERED
        assert post.run() == [Told.DELIVERED]
    world.session.delete(subscription)
    world.session.commit()
    assert len(receiver.requests) == 3
    assert plans.about("UPDATE event_deliveries")
    assert_good(plans)


def test_what_repairs_and_watches(world: World, engine: Engine, plans: Plans) -> None:
    recover = runner(sessionmaker(engine), world, Markers())
    recover()
    recover()
    with engine.connect() as connection:
        figures = measure(connection, grace=5)
    assert figures.work.steps_waiting >= OPEN
    # All that is over was added up, page by page.
    assert figures.happened.changes["started"] >= FINISHED
    assert plans.about("INSERT INTO event_totals")
    assert_good(plans)


def test_what_deletes(world: World, plans: Plans) -> None:
    session = world.session
    for sweep in sweeps(Ages(timedelta(days=90), timedelta(days=730)), database_now(session)):
        batches = prune(session, sweep, batch=20, rest=lambda _: None)
        list(islice(batches, 20))
    assert plans.about("DELETE FROM executions")
    assert_good(plans)


def test_cascades_and_checks_of_foreign_keys_read_through_nothing(world: World, engine: Engine) -> None:
    """Their plans are not told to anybody; but Postgres counts when it reads through a table."""
    read = _read_through(engine)
    execution = world.start(world.flow(node("a", 0)), "disk-9")
    world.fire(execution, 1)
    world.send(execution, 1)
    resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
    world.session.delete(world.session.get_one(Execution, execution.id))
    world.session.commit()
    assert _read_through(engine) == read


def _read_through(engine: Engine) -> dict[str, int]:
    """How often each growing table was read through; who has counts to tell does so when it leaves."""
    engine.dispose()
    with engine.connect() as connection:
        return {table: times for table, times in connection.execute(SEQUENTIAL) if table in GROWING}
