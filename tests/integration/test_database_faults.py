"""The database goes away in the middle of things, and comes back; nothing that was known is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from psycopg2.errors import LockNotAvailable
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import PoolProxiedConnection

from alertops.channels.base import Notification
from alertops.db import bounded, engine_options
from alertops.escalation.decision import Reason
from alertops.services.fire_step import fire_step
from alertops.services.keys import StepKey
from alertops.services.persistence import persistently
from tests.integration.world import World, node


@pytest.fixture
def cut_connections(sessions: sessionmaker[Session]) -> Iterator[Callable[..., None]]:
    """End every other session on the database, as a failover does."""

    def cut(*_: object) -> None:
        with sessions() as session:
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            session.commit()

    yield cut
    # What was in use a moment ago is not asked whether it is alive: the next test is given none of these.
    sessions.kw["bind"].dispose()


def test_an_outcome_is_recorded_though_the_database_was_away_while_it_was_sent(
    world: World, cut_connections: Callable[[Notification], None]
) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    world.channel.on_transmit = cut_connections
    assert world.send(execution, 1) is Reason.REACHED
    assert [attempt.status for attempt in world.attempts(execution)] == ["delivered"]
    assert len(world.channel.accepted) == 1


def test_a_mark_is_made_though_the_database_was_away_while_connecting(
    world: World, cut_connections: Callable[[Notification], None]
) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    world.channel.on_open = cut_connections
    assert world.send(execution, 1) is Reason.REACHED
    (attempt,) = world.attempts(execution)
    assert attempt.transmit_at is not None


def test_a_transaction_is_tried_again_until_the_database_answers(
    session: Session, cut_connections: Callable[[], None]
) -> None:
    tries: list[int] = []

    def work() -> str:
        tries.append(len(tries))
        session.execute(text("SELECT 1"))
        if len(tries) < 3:
            cut_connections()
        answer: str = session.execute(text("SELECT 'done'")).scalar_one()
        session.commit()
        return answer

    assert persistently(session, 10, work) == "done"
    assert len(tries) == 3


def test_a_connection_that_died_while_nobody_used_it_is_not_given_out(
    sessions: sessionmaker[Session], cut_connections: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertops.db.ALIVE_SECONDS", 0.0)
    with sessions() as one, sessions() as another:
        one.execute(text("SELECT 1"))
        another.execute(text("SELECT 1"))
    cut_connections()
    for _ in range(3):
        with sessions() as session:
            assert session.execute(text("SELECT 1")).scalar_one() == 1


def test_a_connection_that_was_in_use_a_moment_ago_is_not_asked(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    with sessions() as session:
        session.execute(text("SELECT 1"))
        dialect = session.get_bind().dialect
        ping = dialect.do_ping
        monkeypatch.setattr(dialect, "do_ping", lambda connection: asked.append(1) or ping(connection))
        session.commit()
        session.execute(text("SELECT 1"))
        assert asked == []
        session.commit()
        monkeypatch.setattr("alertops.db.ALIVE_SECONDS", 0.0)
        session.execute(text("SELECT 1"))
    assert asked == [1]


def test_patience_ends_and_the_error_is_raised(session: Session) -> None:
    def work() -> None:
        raise OperationalError("SELECT 1", None, Exception("gone"))

    with pytest.raises(OperationalError):
        persistently(session, 0.3, work)


def test_an_error_that_cannot_pass_is_raised_at_once(session: Session) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        session.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(Exception, match="no_such_table"):
        persistently(session, 10, work)
    assert len(tries) == 1


def test_a_client_that_vanished_while_it_waited_for_a_lock_does_not_inherit_it(
    world: World, sessions: sessionmaker[Session], migrated_database: str
) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    lock = f"SELECT FROM executions WHERE id = '{execution.id}' FOR NO KEY UPDATE"
    vanished = create_engine(migrated_database, **engine_options())
    bounded(vanished)
    with sessions() as holder, closing(vanished.raw_connection()) as line:
        holder.execute(text(lock))
        sent = threading.Thread(target=_wait_in_line, args=(line, lock))
        sent.start()
        # Nobody reads what the server answers to it: within the bound it has given its place up.
        sent.join(10)
        assert not sent.is_alive()
        # Waiting is what was given up, not the connection.
        holder.rollback()
        holder.execute(text(f"{lock} NOWAIT"))
    vanished.dispose()


def _wait_in_line(line: PoolProxiedConnection, lock: str) -> None:
    with line.cursor() as cursor, pytest.raises(LockNotAvailable):
        cursor.execute(lock)


def test_who_is_alive_tries_again_when_a_lock_was_not_to_be_had_in_time(
    world: World, sessions: sessionmaker[Session]
) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    tries: list[int] = []
    with sessions() as holder:
        holder.execute(text(f"SELECT FROM executions WHERE id = '{execution.id}' FOR NO KEY UPDATE"))

        def fire() -> Reason:
            tries.append(1)
            if len(tries) > 1:
                holder.rollback()
            world.session.execute(text("SET LOCAL lock_timeout = '100ms'"))
            return fire_step(world.session, world.dispatcher, StepKey(execution.id, 1))

        assert persistently(world.session, 10, fire) is Reason.DUE
    assert len(tries) == 2
