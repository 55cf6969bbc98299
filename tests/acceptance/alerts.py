"""Raising alerts as a user does, and seeing what becomes of them: in the API, the database, the mailboxes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import database_now
from alertops.models import Attempt, Execution, Step
from deploy.local.client import Client
from deploy.local.promises import Message, Verdict, check_promises
from deploy.local.smtp_sink import Received, SmtpSink
from tests.measured import LATENESS, MEASURED

# How late a step may fire when nothing is broken. Measured: a few hundredths of a second; the bound
# leaves room for a machine that is busy with other things.
ON_TIME = timedelta(seconds=1.5)


def measured(sentence: str) -> None:
    """Have this said at the end of the report, also when the test passes."""
    MEASURED.append(sentence)


def until(condition: Callable[[], bool], within: float, what: str = "it") -> float:
    """Wait for the condition; returns the seconds that it took, fails the test after `within`."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > within:
            raise AssertionError(f"{what} did not happen within {within} s")
        time.sleep(0.02)
    return time.monotonic() - started


def node(email: str, delay: int, *, attempts: int = 3, **more: Any) -> dict[str, Any]:
    """A node that mails to an address, and tries again after 1 s, 2 s, ..."""
    return {
        "name": email.partition("@")[0],
        "recipient": {"type": "email", "email": email},
        "delay_seconds": delay,
        "retry": {"max_attempts": attempts, "backoff_seconds": 1},
        **more,
    }


@dataclass
class Alerts:
    """A team's alerts on one fleet; remembers those that were raised, to check them all."""

    client: Client
    team_id: str
    sessions: sessionmaker[Session]
    sink: SmtpSink
    tell: Callable[[str], None] = print
    raised: list[Alert] = field(default_factory=list)

    def flow(self, *nodes: dict[str, Any]) -> str:
        return self.client.create_flow(self.team_id, "Flow", list(nodes))

    def raise_(self, flow_id: str) -> Alert:
        alert = Alert(UUID(self.client.trigger(flow_id, "Disk is full")), self)
        self.raised.append(alert)
        return alert

    def raise_with(self, *nodes: dict[str, Any]) -> Alert:
        return self.raise_(self.flow(*nodes))

    def now(self) -> datetime:
        """By the database's clock, which decides what is due."""
        with self.sessions() as session:
            return database_now(session)

    def rows(self, query: Any) -> list[Any]:
        with self.sessions() as session:
            return list(session.scalars(query))

    def verify(
        self, *, of: Iterable[Alert] | None = None, patience: timedelta = ON_TIME, at_least: int = 1
    ) -> Verdict:
        """Check every promise for these alerts, or all that were raised; tells what was found."""
        ids = [alert.id for alert in (self.raised if of is None else of)]
        mails = [
            Message.mailed(received.received_at, received.message)
            for received in self.sink.alerts
            if UUID(received.alertops("Execution")) in ids
        ]
        with self.sessions() as session:
            verdict = check_promises(session, mails, ids, patience=patience)
        self.tell(f"{verdict} lateness in ms: {[round(late * 1000) for late in verdict.lateness]}")
        if patience == ON_TIME:
            LATENESS.extend(verdict.lateness)
        assert not verdict.broken, str(verdict)
        assert verdict.checked["not early"] >= at_least, f"too little was seen: {verdict}"
        return verdict


@dataclass(frozen=True)
class Alert:
    """One alert that was raised, and its execution."""

    id: UUID
    alerts: Alerts

    @property
    def execution(self) -> Execution:
        with self.alerts.sessions() as session:
            return session.get_one(Execution, self.id)

    @property
    def steps(self) -> list[Step]:
        return self.alerts.rows(select(Step).where(Step.execution_id == self.id).order_by(Step.number))

    @property
    def fired(self) -> list[Step]:
        return [step for step in self.steps if step.fired_at is not None]

    @property
    def attempts(self) -> list[Attempt]:
        order = (Attempt.step_number, Attempt.target_number, Attempt.number)
        return self.alerts.rows(select(Attempt).where(Attempt.execution_id == self.id).order_by(*order))

    @property
    def mails(self) -> Sequence[Received]:
        return [mail for mail in self.alerts.sink.alerts if mail.alertops("Execution") == str(self.id)]

    @property
    def timeline(self) -> list[dict[str, Any]]:
        """Through the API, oldest entry first."""
        return self.alerts.client.timeline(str(self.id))

    @property
    def events(self) -> list[str]:
        return [entry["event"] for entry in self.timeline]

    def acknowledge(self) -> dict[str, Any]:
        return self.alerts.client.acknowledge(str(self.id))

    def await_mails(self, count: int, within: float) -> Sequence[Received]:
        until(lambda: len(self.mails) >= count, within, f"mail {count} of {self.id}")
        return self.mails

    def await_status(self, status: str, within: float) -> None:
        until(lambda: self.execution.status == status, within, f"{self.id} becoming {status}")

    def await_delivered(self, count: int, within: float) -> None:
        """Received, and recorded as such: no worker is at it any more."""

        def delivered() -> int:
            return sum(attempt.status == "delivered" for attempt in self.attempts)

        until(lambda: delivered() >= count, within, f"delivery {count} of {self.id}")

    def await_fired(self, count: int, within: float) -> None:
        until(lambda: len(self.fired) >= count, within, f"step {count} of {self.id}")
