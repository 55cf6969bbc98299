"""Were the promises kept? The rows in the database against the mails that were really received.

What AlertOps says about itself is only half of a proof. `alertops.verify` holds the rows against the
plan that an execution began with; here they are held against what arrived at the mail server.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.channels.address import ascii_address
from alertops.escalation.flow import OnUnknown
from alertops.models import Attempt
from alertops.verify.history import Deadline, History, within
from alertops.verify.promises import PROMISES as PROMISES_OF_ROWS
from alertops.verify.promises import Judge, Verdict
from alertops.verify.read import read_histories

__all__ = ["PROMISES", "Mail", "Target", "Verdict", "check_promises", "judge"]

# What each promise says: those of the rows, and those that take the mails to check.
PROMISES = PROMISES_OF_ROWS | {
    "received": "every mail recorded as delivered was received",
    "known": "every mail received belongs to a recorded attempt",
    "once": "no target was told twice without being told that it may be a repeat",
    "held": "where no duplicates are wanted there is one mail at most",
    "one Message-ID": "all mails to a target carry one Message-ID",
    "own Message-ID": "no two targets share a Message-ID",
}


PAST = datetime.min.replace(tzinfo=UTC)
FUTURE = datetime.max.replace(tzinfo=UTC)


class Target(NamedTuple):
    """Whom a step tells: mails about the same target are about the same thing."""

    execution: UUID
    step: int
    target: int


@dataclass(frozen=True)
class Mail:
    """A mail of AlertOps, as a mail server received it."""

    received_at: datetime
    message_id: str
    target: Target
    attempt: int
    address: str

    @classmethod
    def read(cls, received_at: datetime, message: EmailMessage) -> "Mail":
        execution, step, target, attempt = (
            str(message[f"X-AlertOps-{name}"]) for name in ("Execution", "Step", "Target", "Attempt")
        )
        return cls(
            received_at,
            str(message["Message-ID"]),
            Target(UUID(execution), int(step), int(target)),
            int(attempt),
            str(message["To"]),
        )


def check_promises(
    session: Session,
    mails: Iterable[Mail],
    executions: Iterable[UUID] | None = None,
    *,
    patience: timedelta = timedelta(seconds=20),
    deadline: Deadline | None = None,
) -> Verdict:
    """Check these executions, or all.

    What fires later than `patience` after its time is late, and what is still on its way is lost. The
    default is the bound within which any loss is repaired; who knows of outages gives a `deadline` that
    allows for them. The clock is the database's; the mail server's must agree with it.
    """
    verdict = Verdict()
    by_execution: dict[UUID, list[Mail]] = defaultdict(list)
    for mail in sorted(mails, key=lambda mail: mail.received_at):
        by_execution[mail.target.execution].append(mail)
    wanted: Collection[UUID] | None = None if executions is None else set(executions)
    session.rollback()
    for history in read_histories(session, deadline or within(patience), executions=wanted):
        judge(verdict, history, by_execution.pop(history.execution.id, []))
    return verdict


def judge(verdict: Verdict, history: History, mails: Sequence[Mail]) -> None:
    """Check every promise for one execution; its mails are in the order in which they came."""
    judge = MailJudge(verdict, history, mails)
    judge.rows()
    judge.mailed()


@dataclass(frozen=True)
class MailJudge(Judge):
    """Checks one history, and the mails about it."""

    mails: Sequence[Mail]

    def mailed(self) -> None:
        """Check every promise that takes the mails."""
        self._received()
        self._none_early()
        self._none_after_the_answer()
        for target, mails in _by_target(self.mails):
            self._once(target, mails)
        self._own_ids()

    def _received(self) -> None:
        received = {(mail.target, mail.attempt) for mail in self.mails}
        for attempt in self.history.attempts:
            if attempt.status == "delivered" and attempt.channel == "email":
                name = f"attempt {attempt.number} of {self.history.name(attempt.step_number)}"
                arrived = (_target(attempt), attempt.number) in received
                self.require("received", arrived, f"{name} is delivered, and no mail has come")

    def _none_early(self) -> None:
        """Neither before its step was due, nor before the pause was over that its attempt waits for."""
        due = {step.number: step.due_at for step in self.history.steps}
        pause = {(_target(attempt), attempt.number): attempt.due_at for attempt in self.history.attempts}
        for mail in self.mails:
            earliest = max(due.get(mail.target.step, FUTURE), pause.get((mail.target, mail.attempt), PAST))
            due_then = mail.received_at >= earliest
            what = f"a mail about {self.history.name(mail.target.step)} came too soon"
            self.require("not early", due_then, what)

    def _none_after_the_answer(self) -> None:
        """No mail comes but what was being transmitted already."""
        begun = {
            (_target(attempt), attempt.number)
            for attempt in self.history.attempts
            if attempt.transmit_at is not None and self.history.ran_at(attempt.transmit_at)
        }
        for mail in self.mails:
            silent = self.history.ran_at(mail.received_at) or (mail.target, mail.attempt) in begun
            what = f"a mail about {self.history.name(mail.target.step)} after the answer"
            self.require("silent", silent, what)

    def _once(self, target: Target, mails: Sequence[Mail]) -> None:
        """A second mail has the Message-ID of the first, and is announced as a possible repeat."""
        name = f"target {target.target} of {self.history.name(target.step)}"
        attempts = {a.number: a for a in self.history.attempts if _target(a) == target}
        self.require(
            "known", {mail.attempt for mail in mails} <= set(attempts), f"{name} has mails without a row"
        )
        for mail in mails:
            row = attempts.get(mail.attempt)
            addressed = row is None or mail.address == ascii_address(row.address)
            self.require("addressed", addressed, f"a mail about {name} went to {mail.address}")
        ids = {mail.message_id for mail in mails}
        self.require("one Message-ID", len(ids) == 1, f"{name} was told as {sorted(ids)}")
        planned = target.step in {step.number for step in self.history.steps}
        if planned and self.history.node_of(target.step).on_unknown is OnUnknown.HOLD:
            self.require("held", len(mails) == 1, f"{name} was told {len(mails)} times")
        claims = sum(attempt.claim_number for attempt in attempts.values())
        announced = len(mails) == 1 or any(attempt.may_repeat for attempt in attempts.values())
        self.require("once", announced and len(mails) <= claims, f"{name} was told {len(mails)} times")

    def _own_ids(self) -> None:
        ids = Counter(message_id for message_id, _ in {(mail.message_id, mail.target) for mail in self.mails})
        shared = [message_id for message_id, count in ids.items() if count > 1]
        self.require("own Message-ID", not shared, f"{shared} name more than one target")


def _by_target(mails: Sequence[Mail]) -> Iterator[tuple[Target, list[Mail]]]:
    grouped: dict[Target, list[Mail]] = defaultdict(list)
    for mail in mails:
        grouped[mail.target].append(mail)
    yield from grouped.items()


def _target(attempt: Attempt) -> Target:
    return Target(attempt.execution_id, attempt.step_number, attempt.target_number)
