"""A small world to try the services in: people, flows, a channel that does as told, and movable time.

The database's clock decides what is due, and it cannot be set. So a test does not wait: it moves all
times of an execution into the past, which to the services is the same as time having passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import Notification, Receipt
from alertops.config import Timing
from alertops.errors import BrokerUnavailableError
from alertops.escalation.decision import Reason
from alertops.escalation.flow import Flow as FlowDefinition
from alertops.escalation.flow import Node, OnFailure, OnUnknown, RetryPolicy, flow_to_json
from alertops.models import (
    Attempt,
    Execution,
    Flow,
    FlowRevision,
    Membership,
    Step,
    Team,
    TimelineEntry,
    User,
)
from alertops.services.dispatch import Dispatcher, Message
from alertops.services.fire_step import fire_step
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.send_attempt import send_attempt
from alertops.services.start_execution import Alert, start_execution

Behaviour = Callable[[Notification], None]
Publishing = Callable[[Sequence[Message]], list[bool]]
T = TypeVar("T")


@dataclass
class ScriptedChannel:
    """Outside the system, so a fake: what a provider does is a test's to say.

    `on_open` and `on_transmit` may raise a ChannelError, or do something in between to the database.
    """

    name: str = "email"
    on_open: Behaviour = lambda _: None
    on_transmit: Behaviour = lambda _: None
    accepted: list[Notification] = field(default_factory=list)

    @contextmanager
    def open(self, notification: Notification, *, within_seconds: float) -> Iterator[ScriptedDelivery]:
        self.on_open(notification)
        yield ScriptedDelivery(self, notification)


@dataclass
class ScriptedDelivery:
    channel: ScriptedChannel
    notification: Notification

    def transmit(self, *, within_seconds: float) -> Receipt:
        self.channel.on_transmit(self.notification)
        self.channel.accepted.append(self.notification)
        return Receipt("250 taken")


def node(
    name: str,
    delay: int = 60,
    *,
    attempts: int = 3,
    on_failure: OnFailure = OnFailure.ESCALATE,
    on_unknown: OnUnknown = OnUnknown.RESEND,
    recipient: dict[str, Any] | None = None,
) -> Node:
    """A node that tells `name`@example.com after the delay."""
    return Node(
        id=str(uuid4()),
        name=name,
        recipient=recipient or {"type": "email", "email": f"{name}@example.com"},
        delay_seconds=delay,
        retry=RetryPolicy(max_attempts=attempts, backoff_seconds=10),
        on_failure=on_failure,
        on_unknown=on_unknown,
    )


class World:
    """One team with one owner, and the verbs a test needs."""

    def __init__(self, session: Session, dispatcher: Dispatcher, publisher: Any) -> None:
        self.session = session
        self.dispatcher = dispatcher
        self.publisher = publisher
        self.channel = ScriptedChannel()
        self.webhook = ScriptedChannel("webhook")
        self.timing = Timing()
        self.owner = User(email="owner@example.com", name="Owner", password_hash="-")
        self.team = Team(name="Team")
        session.add_all([self.owner, self.team])
        session.flush()
        session.add(Membership(team_id=self.team.id, user_id=self.owner.id, role="owner"))
        session.commit()

    def flow(self, *nodes: Node, repeat: int = 0, **settings: Any) -> Flow:
        definition = FlowDefinition(nodes=nodes, repeat=repeat, name="Flow", **settings)
        flow = Flow(team_id=self.team.id, name="Flow", repeat=repeat, revision_number=1)
        self.session.add(flow)
        self.session.flush()
        self.session.add(FlowRevision(flow_id=flow.id, number=1, definition=flow_to_json(definition)))
        self.session.commit()
        return flow

    def start(self, flow: Flow, dedup_key: str | None = None, severity: str = "critical") -> Execution:
        alert = Alert("Disk is full", severity, {"host": "db1"}, dedup_key)
        return start_execution(self.session, self.dispatcher, flow, alert, self.owner.id).execution

    def pass_time(self, execution: Execution, seconds: float) -> None:
        """Let this much time go by for the execution and all that belongs to it."""
        by = timedelta(seconds=seconds)
        columns = {
            "executions": (
                "anchor_at",
                "group_until",
                "not_before_at",
                "created_at",
                "snoozed_until",
                "acknowledged_at",
                "ended_at",
            ),
            "timers": ("due_at", "fired_at", "created_at", "dispatched_at"),
            "timeline": ("at",),
            "steps": ("planned_at", "due_at", "fired_at", "created_at", "dispatched_at"),
            "event_deliveries": ("due_at", "lease_until", "created_at", "finished_at", "dispatched_at"),
            "attempts": ("due_at", "lease_until", "transmit_at", "created_at", "dispatched_at"),
        }
        for table, names in columns.items():
            moved = ", ".join(f"{name} = {name} - :by" for name in names)
            key = "id" if table == "executions" else "execution_id"
            self.session.execute(
                text(f"UPDATE {table} SET {moved} WHERE {key} = :id"), {"by": by, "id": execution.id}
            )
        self._shift_what_was_told(execution, by)
        self.session.commit()
        self.session.expire_all()

    def _shift_what_was_told(self, execution: Execution, by: timedelta) -> None:
        """What the timeline says of the course goes back in time, too."""
        changes = select(TimelineEntry).where(
            TimelineEntry.execution_id == execution.id, TimelineEntry.event == "course_changed"
        )
        for entry in self.session.scalars(changes.execution_options(populate_existing=True)):
            times = {name: entry.detail[name] for name in ("anchor_at", "not_before_at")}
            moved = {n: (datetime.fromisoformat(at) - by).isoformat() for n, at in times.items() if at}
            entry.detail = {**entry.detail, **moved}

    def fire(self, execution: Execution, step: int) -> Reason:
        reason = fire_step(self.session, self.dispatcher, StepKey(execution.id, step))
        self.session.expire_all()
        return reason

    def send(self, execution: Execution, step: int, attempt: int = 1, *, target: int = 1) -> Reason:
        key = AttemptKey(execution.id, step, target, attempt)
        channels = {"email": self.channel, "webhook": self.webhook}
        reason = send_attempt(self.session, self.dispatcher, channels, self.timing, key)
        self.session.expire_all()
        return reason

    def steps(self, execution: Execution) -> list[Step]:
        self.session.expire_all()
        query = select(Step).where(Step.execution_id == execution.id).order_by(Step.number)
        return list(self.session.scalars(query))

    def attempts(self, execution: Execution) -> list[Attempt]:
        self.session.expire_all()
        query = (
            select(Attempt)
            .where(Attempt.execution_id == execution.id)
            .order_by(Attempt.step_number, Attempt.target_number, Attempt.number)
        )
        return list(self.session.scalars(query))

    def events(self, execution: Execution) -> list[str]:
        query = (
            select(TimelineEntry.event)
            .where(TimelineEntry.execution_id == execution.id)
            .order_by(TimelineEntry.id)
        )
        return list(self.session.scalars(query))

    def status(self, execution: Execution | UUID) -> str:
        id_ = execution if isinstance(execution, UUID) else execution.id
        return self.session.scalars(select(Execution.status).where(Execution.id == id_)).one()


def take(messages: Sequence[Message]) -> list[bool]:
    """A broker that is well."""
    return [True] * len(messages)


def refuse(messages: Sequence[Message]) -> list[bool]:
    """A broker that answers, and has no queue for anything."""
    return [False] * len(messages)


def down(_: Sequence[Message]) -> list[bool]:
    """A broker that does not answer."""
    raise BrokerUnavailableError("connection refused")


@dataclass
class Broker:
    """Does as told when it is given messages, and keeps what it took."""

    on_publish: Publishing = take
    batches: list[int] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        self.batches.append(len(messages))
        confirmed = self.on_publish(messages)
        self.taken += [message for message, ok in zip(messages, confirmed, strict=True) if ok]
        return confirmed


class Queue:
    """Transactions that queue, in the order in which a test lines them up, for what a holder has locked.

    Leaving the context lets them go; only then do their futures have results.
    """

    def __init__(self, sessions: sessionmaker[Session], hold: Callable[[Session], object]) -> None:
        self._sessions = sessions
        self._hold = hold
        self.holder = sessions()
        self._pool = ThreadPoolExecutor(32)

    def __enter__(self) -> Queue:
        self._hold(self.holder)
        return self

    def __exit__(self, *_: object) -> None:
        self.holder.close()
        self._pool.shutdown()

    def submit(self, act: Callable[[Session], T]) -> Future[T]:
        """Run it in a thread and a session of its own, and return when it stands in the queue."""
        return self.line_up(lambda: self._pool.submit(self._in_a_session, act))

    def line_up(self, trigger: Callable[[], T]) -> T:
        """Do what makes one more transaction wait, and return when it does."""
        before = self._waiting()
        result = trigger()
        deadline = time.monotonic() + 10
        while self._waiting() == before:
            assert time.monotonic() < deadline, "nothing came to wait for the lock"
            time.sleep(0.005)
        return result

    def _in_a_session(self, act: Callable[[Session], T]) -> T:
        with self._sessions() as session:
            return act(session)

    def _waiting(self) -> int:
        query = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with self._sessions() as session:
            return int(session.execute(query).scalar_one())
