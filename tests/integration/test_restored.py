"""A drill: a backup is restored. What was sent since is not sent again unmarked, and what waits fires."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from alertops.escalation.flow import OnUnknown
from alertops.models import Attempt, Execution, Letter
from alertops.schema import migrate
from alertops.services.acknowledge import acknowledge
from alertops.services.dispatch import FIRE_STEP, FIRE_TIMER, Dispatcher
from alertops.services.fire_step import fire_step
from alertops.services.fire_timer import fire_timer
from alertops.services.heartbeats.check_heartbeat import Found
from alertops.services.keys import AttemptKey, StepKey, TimerKey
from alertops.services.operate import By
from alertops.services.recover import recover
from alertops.services.send_attempt import send_attempt
from deploy.local import binaries
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import PrivateStack
from tests.integration.heartbeating import EVERY, GRACE, Job
from tests.integration.recovering import Markers, Queues, Sessions
from tests.integration.world import Broker, ScriptedChannel, World, node

LOST_SECONDS = 1000
_numbers = count()


class Site:
    """A database of its own, with a world on it; it can be dumped and restored."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server, self._dump = server, folder / "dump"
        self._name = f"alertops_drill_{os.getpid()}_{next(_numbers)}"
        self.url = create_database(server, self._name)
        self._connect()
        with self._engine.connect() as connection:
            migrate(connection)
        self.world = World(self.sessions(), Dispatcher(Broker()), None)

    def _connect(self) -> None:
        self._engine = create_engine(self.url, poolclass=NullPool)
        self.sessions: Sessions = sessionmaker(self._engine, expire_on_commit=False)

    def back_up(self) -> None:
        self.world.session.commit()
        self._run("pg_dump", "--format=custom", f"--file={self._dump}", self._libpq)

    def restore(self) -> None:
        """All that happened since is gone; the test still knows which executions there were."""
        for row in list(self.world.session):
            self.world.session.refresh(row)
        self.world.session.close()
        drop_database(self._server, self._name)
        create_database(self._server, self._name)
        self._run("pg_restore", "--no-owner", f"--dbname={self._libpq}", str(self._dump))
        self.world = copy(self.world)
        self.world.session, self.world.channel = self.sessions(), ScriptedChannel()

    def close(self) -> None:
        self.world.session.close()
        drop_database(self._server, self._name)

    @property
    def _libpq(self) -> str:
        return self.url.replace("+psycopg2", "", 1)

    @staticmethod
    def _run(program: str, *arguments: str) -> None:
        subprocess.run([binaries.postgres_folder() / program, *arguments], check=True)  # noqa: S603  our own words

    def pass_time(self, seconds: float) -> None:
        for execution in self.world.session.scalars(select(Execution)).all():
            self.world.pass_time(execution, seconds)
        self.world.session.rollback()

    def work(self) -> None:
        """As workers that have just started: recovery, and then whatever is due until nothing is."""
        broker = Broker()
        dispatcher = Dispatcher(broker)
        timing = replace(self.world.timing, recovery_grace=0)
        recover(self.sessions, dispatcher, Markers(), Queues({"fire": 0, "send.email": 0}), timing)
        channels = {"email": self.world.channel}
        with self.sessions() as session:
            while broker.taken:
                message = broker.taken.pop(0)
                if message.delay_seconds:
                    continue
                id_, *numbers = message.args
                execution_id, rest = UUID(str(id_)), [int(number) for number in numbers]
                if message.task == FIRE_STEP:
                    fire_step(session, dispatcher, StepKey(execution_id, *rest))
                elif message.task == FIRE_TIMER:
                    fire_timer(session, dispatcher, TimerKey(execution_id, *rest))
                else:
                    send_attempt(session, dispatcher, channels, timing, AttemptKey(execution_id, *rest))
                session.expunge_all()

    def say_that_it_was_restored(self) -> str:
        self.world.session.rollback()
        done = subprocess.run(  # noqa: S603  our own words
            [sys.executable, "-m", "alertops.cli", "restored", "--database-url", self.url],
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout + done.stderr

    @property
    def sent(self) -> dict[str, bool]:
        """What the provider took since the last restore: its key, and whether it may be a repeat."""
        return {taken.key: taken.may_repeat for taken in self.world.channel.accepted}


@pytest.fixture
def site(stack: PrivateStack, migrated_database: str, tmp_path: Path) -> Iterator[Site]:
    site = Site(stack.addresses.database_url, tmp_path)
    yield site
    site.close()


def key(execution: Execution, step: int) -> str:
    return AttemptKey(execution.id, step, 1, 1).idempotency_key


def lose_some_time(site: Site) -> None:
    """What was waiting at the backup happens, and mails are sent that the backup knows nothing of."""
    site.pass_time(LOST_SECONDS)
    site.work()


def test_nothing_is_sent_again_without_a_word_and_what_waited_fires(site: Site) -> None:
    world = site.world
    told = world.start(world.flow(node("a", 0), node("b", 600), node("c", 6600)))
    site.work()
    in_the_air = world.start(world.flow(node("a", 0)))
    world.fire(in_the_air, 1)
    held = world.start(world.flow(node("a", 300, on_unknown=OnUnknown.HOLD)))
    coming = world.start(world.flow(node("a", 7200)))
    comes_back = world.start(world.flow(node("a", 0), ack_timeout_seconds=300))
    world.fire(comes_back, 1)
    world.send(comes_back, 1)
    acknowledge(world.session, world.dispatcher, comes_back.id, By(world.owner.id))

    site.back_up()
    lose_some_time(site)
    sent = site.sent
    lost = {key(told, 2), key(in_the_air, 1), key(held, 1), key(comes_back, 2)}
    assert set(sent) == lost | {key(told, 1), key(comes_back, 1)}
    assert not any(sent.values())
    site.restore()
    site.pass_time(LOST_SECONDS)
    said = site.say_that_it_was_restored()
    assert "4 executions caught up with: 4 steps and timers fired, 4 sends and 0 letters" in said
    site.work()

    assert site.sent == dict.fromkeys(lost - {key(held, 1)}, True)
    (attempt,) = site.world.attempts(held)
    assert attempt.status == "unknown"
    assert "attempt_doubted" in site.world.events(in_the_air)
    site.pass_time(7200 - LOST_SECONDS)
    site.work()
    assert site.sent[key(coming, 1)] is False
    assert site.sent[key(told, 3)] is False
    site.world.session.rollback()


def test_no_job_is_called_silent_for_pings_that_the_backup_does_not_have(site: Site) -> None:
    job = Job(site.world, site.sessions)
    job.ping()
    site.back_up()
    site.restore()
    job.world = site.world
    job.pass_time(LOST_SECONDS)
    assert "1 heartbeats are due a period from now" in site.say_that_it_was_restored()
    assert [job.wake(1), job.wake(2)] == [Found.STALE, Found.EARLY]
    job.pass_time(EVERY + GRACE)
    assert job.wake(2) is Found.MISSING
    job.world.session.rollback()


def test_without_a_word_from_the_operator_it_would_be_sent_again_unmarked(site: Site) -> None:
    """So the test above sees what it looks for."""
    execution = site.world.start(site.world.flow(node("a", 600)))
    site.back_up()
    lose_some_time(site)
    site.restore()
    site.pass_time(LOST_SECONDS)
    site.work()
    assert site.sent == {key(execution, 1): False}


def test_it_is_safe_to_repeat_and_refused_while_others_are_connected(site: Site) -> None:
    world = site.world
    world.start(world.flow(node("a", 0)))
    letter = Letter(kind="reset_password", address="a@example.org", status="scheduled", due_at=text("now()"))
    letter.expires_at = text("now() + interval '1 hour'")  # type: ignore[assignment]  # said in SQL
    world.session.add(letter)
    world.session.commit()
    assert "1 executions caught up with: 1 steps and timers fired, 1 sends and 1 letters" in (
        site.say_that_it_was_restored()
    )
    assert "0 executions caught up with: 0 steps and timers fired, 0 sends and 0 letters" in (
        site.say_that_it_was_restored()
    )
    with Session(create_engine(site.url, connect_args={"application_name": "alertops"})) as worker:
        assert worker.scalar(select(Attempt.status)) == "sending"
        assert "1 connections of API processes or workers are open" in site.say_that_it_was_restored()
