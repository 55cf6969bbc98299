"""Were the promises kept? The rows in the database against the messages that were really received.

What AlertOps says about itself is only half of a proof. `alertops.verify` holds the rows against the
plan that an execution began with; here they are held against what arrived: mails, and webhooks.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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

__all__ = ["PROMISES", "Message", "Target", "Verdict", "check_promises", "judge"]

# What each promise says: those of the rows, and those that take the messages to check.
PROMISES = PROMISES_OF_ROWS | {
    "received": "every message recorded as delivered was received",
    "known": "every message received belongs to a recorded attempt",
    "once": "no target was told twice without being told that it may be a repeat",
    "held": "where no duplicates are wanted there is one message at most",
    "one key": "all messages to a target carry one key: Message-ID, webhook-id",
    "own key": "no two targets share a key",
}


# How a mail says it.
ANNOUNCEMENT = "This may be a repeat of a message"
PAST = datetime.min.replace(tzinfo=UTC)
FUTURE = datetime.max.replace(tzinfo=UTC)


class Target(NamedTuple):
    """Whom a step tells: messages about the same target are about the same thing."""

    execution: UUID
    step: int
    target: int


@dataclass(frozen=True)
class Message:
    """A mail of AlertOps, as a mail server received it, or a webhook, as a machine did.

    `announced` is whether it says that it may be a repeat; None when that was not looked at.
    """

    received_at: datetime
    key: str
    target: Target
    attempt: int
    address: str
    channel: str = "email"
    announced: bool | None = None

    @classmethod
    def mailed(cls, received_at: datetime, message: EmailMessage) -> "Message":
        execution, step, target, attempt = (
            str(message[f"X-AlertOps-{name}"]) for name in ("Execution", "Step", "Target", "Attempt")
        )
        return cls(
            received_at,
            str(message["Message-ID"]),
            Target(UUID(execution), int(step), int(target)),
            int(attempt),
            str(message["To"]),
            announced=ANNOUNCEMENT in message.get_content(),
        )

    @classmethod
    def posted(cls, received_at: datetime, url: str, headers: Mapping[str, str], body: bytes) -> "Message":
        said = json.loads(body)
        return cls(
            received_at,
            headers["webhook-id"],
            Target(UUID(said["execution"]), said["step"], said["target"]),
            said["attempt"],
            url,
            channel="webhook",
            announced=said["may_repeat"],
        )


def check_promises(
    session: Session,
    messages: Iterable[Message],
    executions: Iterable[UUID] | None = None,
    *,
    patience: timedelta = timedelta(seconds=20),
    deadline: Deadline | None = None,
    channels: Collection[str] = ("email",),
) -> Verdict:
    """Check these executions, or all.

    What fires later than `patience` after its time is late, and what is still on its way is lost. The
    default is the bound within which any loss is repaired; who knows of outages gives a `deadline` that
    allows for them. The clock is the database's; the receivers' must agree with it. `messages` are all that
    came by these channels.
    """
    verdict = Verdict()
    by_execution: dict[UUID, list[Message]] = defaultdict(list)
    for message in sorted(messages, key=lambda message: message.received_at):
        by_execution[message.target.execution].append(message)
    wanted: Collection[UUID] | None = None if executions is None else set(executions)
    session.rollback()
    for history in read_histories(session, deadline or within(patience), executions=wanted):
        judge(verdict, history, by_execution.pop(history.execution.id, []), channels)
    return verdict


def judge(
    verdict: Verdict, history: History, messages: Sequence[Message], channels: Collection[str] = ("email",)
) -> None:
    """Check every promise for one execution; its messages are in the order in which they came."""
    judge = MessageJudge(verdict, history, messages, channels)
    judge.rows()
    judge.received()


@dataclass(frozen=True)
class MessageJudge(Judge):
    """Checks one history, and the messages about it."""

    messages: Sequence[Message]
    channels: Collection[str]

    def received(self) -> None:
        """Check every promise that takes the messages."""
        self._received()
        self._none_early()
        self._none_after_the_answer()
        for target, messages in _by_target(self.messages):
            self._once(target, messages)
        self._own_ids()

    def _received(self) -> None:
        received = {(message.target, message.attempt) for message in self.messages}
        for attempt in self.history.attempts:
            if attempt.status == "delivered" and attempt.channel in self.channels:
                name = f"attempt {attempt.number} of {self.history.name(attempt.step_number)}"
                arrived = (_target(attempt), attempt.number) in received
                self.require("received", arrived, f"{name} is delivered, and nothing has come")

    def _none_early(self) -> None:
        """Neither before its step was due, nor before the pause was over that its attempt waits for."""
        due = {step.number: step.due_at for step in self.history.steps}
        pause = {(_target(attempt), attempt.number): attempt.due_at for attempt in self.history.attempts}
        for message in self.messages:
            earliest = max(
                due.get(message.target.step, FUTURE), pause.get((message.target, message.attempt), PAST)
            )
            due_then = message.received_at >= earliest
            what = f"a message about {self.history.name(message.target.step)} came too soon"
            self.require("not early", due_then, what)

    def _none_after_the_answer(self) -> None:
        """Nothing comes but what was being transmitted already."""
        begun = {
            (_target(attempt), attempt.number)
            for attempt in self.history.attempts
            if attempt.transmit_at is not None and self.history.ran_at(attempt.transmit_at)
        }
        for message in self.messages:
            silent = self.history.ran_at(message.received_at) or (message.target, message.attempt) in begun
            what = f"a message about {self.history.name(message.target.step)} after the answer"
            self.require("silent", silent, what)

    def _once(self, target: Target, messages: Sequence[Message]) -> None:
        """A second one has the key of the first, and says that it may be a repeat."""
        name = f"target {target.target} of {self.history.name(target.step)}"
        attempts = {a.number: a for a in self.history.attempts if _target(a) == target}
        self.require(
            "known",
            {message.attempt for message in messages} <= set(attempts),
            f"{name} has messages without a row",
        )
        for message in messages:
            row = attempts.get(message.attempt)
            addressed = row is None or message.address == _as_received(row)
            self.require("addressed", addressed, f"a message about {name} went to {message.address}")
        ids = {message.key for message in messages}
        self.require("one key", len(ids) == 1, f"{name} was told as {sorted(ids)}")
        planned = target.step in {step.number for step in self.history.steps}
        if planned and self.history.node_of(target.step).on_unknown is OnUnknown.HOLD:
            self.require("held", len(messages) == 1, f"{name} was told {len(messages)} times")
        claims = sum(attempt.claim_number for attempt in attempts.values())
        announced = len(messages) == 1 or any(attempt.may_repeat for attempt in attempts.values())
        self.require("once", announced and len(messages) <= claims, f"{name} was told {len(messages)} times")
        # Whoever was paused after its mark comes late, with what it had to say then.
        unsaid = sum(message.announced is False for message in messages)
        self.require("once", unsaid <= 1, f"{name} was told {unsaid} times as if for the first time")

    def _own_ids(self) -> None:
        ids = Counter(key for key, _ in {(message.key, message.target) for message in self.messages})
        shared = [key for key, count in ids.items() if count > 1]
        self.require("own key", not shared, f"{shared} name more than one target")


def _by_target(messages: Sequence[Message]) -> Iterator[tuple[Target, list[Message]]]:
    grouped: dict[Target, list[Message]] = defaultdict(list)
    for message in messages:
        grouped[message.target].append(message)
    yield from grouped.items()


def _target(attempt: Attempt) -> Target:
    return Target(attempt.execution_id, attempt.step_number, attempt.target_number)


def _as_received(attempt: Attempt) -> str:
    """Where it was to arrive, as its receiver sees it."""
    return ascii_address(attempt.address) if attempt.channel == "email" else attempt.address
