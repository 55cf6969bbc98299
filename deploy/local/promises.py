"""Were the promises kept? The rows in the database against the mails that were really received.

What AlertOps says about itself is only half of a proof: each check here compares it with the plan that
an execution began with, or with what arrived at the mail server.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.escalation.flow import flow_from_json
from alertops.escalation.plan import PlannedStep, plan
from alertops.models import Attempt, Execution, FlowRevision, Step, TimelineEntry

# What each promise says, in the order of an alert's journey.
PROMISES = {
    "fired": "every step that came due before the answer has fired",
    "planned": "the steps are the plan's, none skipped or repeated",
    "ordered": "no step overtook the one before it",
    "undrifted": "due times are the plan's, or were brought forward",
    "not early": "nothing fired or arrived before it was due",
    "not late": "nothing fired later than recovery allows",
    "told": "every step that fired told somebody, or said that there was nobody",
    "settled": "no attempt that has had its time is without an outcome",
    "received": "every mail recorded as delivered was received",
    "known": "every mail received belongs to a recorded attempt",
    "once": "no target was told twice without being told that it may be a repeat",
    "one Message-ID": "all mails to a target carry one Message-ID",
    "own Message-ID": "no two targets share a Message-ID",
    "silent": "after the answer nothing fired, and nothing came that was not on its way",
}


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
        )


@dataclass
class Verdict:
    """What was checked, how often; and each promise that was broken, as a sentence.

    `lateness` is how long after its due time each step fired, in seconds.
    """

    checked: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)

    def require(self, promise: str, kept: bool, otherwise: str) -> None:
        self.checked[promise] += 1
        if not kept:
            self.broken.append(f"{promise}: {otherwise}")

    def __str__(self) -> str:
        checked = ", ".join(f"{count} x {promise}" for promise, count in sorted(self.checked.items()))
        return "\n".join([f"checked {checked or 'nothing'}", *(self.broken or ["all promises kept"])])


@dataclass(frozen=True)
class History:
    """All that is known of one execution, from both sides."""

    execution: Execution
    planned: Sequence[PlannedStep]
    steps: Sequence[Step]
    attempts: Sequence[Attempt]
    told_nobody: frozenset[int]
    mails: Sequence[Mail]
    now: datetime
    patience: timedelta

    @property
    def answered_at(self) -> datetime | None:
        """When somebody answered; an execution that went to its end was never answered."""
        if self.execution.status == "exhausted":
            return None
        return self.execution.acknowledged_at or self.execution.ended_at

    @property
    def horizon(self) -> datetime:
        """What came due before must have fired by now; all of it, when the execution is at its end."""
        if self.execution.status == "exhausted":
            return self.now
        return min(self.answered_at or self.now, self.now) - self.patience

    def name(self, step: int) -> str:
        return f"step {step} of {self.execution.id}"


def check_promises(
    session: Session,
    mails: Iterable[Mail],
    executions: Iterable[UUID] | None = None,
    *,
    patience: timedelta = timedelta(seconds=20),
) -> Verdict:
    """Check these executions, or all.

    What fires later than `patience` after its time is late, and what is still on its way is lost. The
    default is the bound within which any loss is repaired. The clock is the database's; the mail
    server's must agree with it.
    """
    verdict = Verdict()
    now = database_now(session)
    by_execution: dict[UUID, list[Mail]] = defaultdict(list)
    for mail in sorted(mails, key=lambda mail: mail.received_at):
        by_execution[mail.target.execution].append(mail)
    wanted = select(Execution)
    if executions is not None:
        wanted = wanted.where(Execution.id.in_(list(executions)))
    for execution in session.scalars(wanted.execution_options(populate_existing=True)):
        judge(verdict, _history(session, execution, by_execution[execution.id], now, patience))
    session.rollback()
    return verdict


def judge(verdict: Verdict, history: History) -> None:
    """Check every promise for one execution."""
    for check in (_nothing_lost, _in_order, _nothing_early, _silence, _once):
        check(verdict, history)


def _history(
    session: Session, execution: Execution, mails: Sequence[Mail], now: datetime, patience: timedelta
) -> History:
    fresh = {"populate_existing": True}
    revision = session.get_one(FlowRevision, (execution.flow_id, execution.revision_number))
    steps = select(Step).where(Step.execution_id == execution.id).order_by(Step.number)
    attempts = (
        select(Attempt)
        .where(Attempt.execution_id == execution.id)
        .order_by(Attempt.step_number, Attempt.target_number, Attempt.number)
    )
    told_nobody = select(TimelineEntry.step_number).where(
        TimelineEntry.execution_id == execution.id, TimelineEntry.event == "nobody_to_tell"
    )
    return History(
        execution,
        list(plan(flow_from_json(revision.definition), execution.anchor_at)),
        session.scalars(steps.execution_options(**fresh)).all(),
        session.scalars(attempts.execution_options(**fresh)).all(),
        frozenset(number for number in session.scalars(told_nobody) if number is not None),
        mails,
        now,
        patience,
    )


def _nothing_lost(verdict: Verdict, history: History) -> None:
    """What came due has fired, what fired was told, what was delivered was received."""
    rows = {step.number: step for step in history.steps}
    for planned in history.planned:
        row = rows.get(planned.number)
        due = min(planned.due_at, row.due_at) if row else planned.due_at
        if due <= history.horizon:
            fired = row is not None and row.fired_at is not None
            verdict.require("fired", fired, f"{history.name(planned.number)} was due at {due}")
    told = {attempt.step_number for attempt in history.attempts} | history.told_nobody
    for step in history.steps:
        if step.fired_at is not None:
            verdict.require("told", step.number in told, f"{history.name(step.number)} told nobody")
    received = {(mail.target, mail.attempt) for mail in history.mails}
    for attempt in history.attempts:
        name = f"attempt {attempt.number} of {history.name(attempt.step_number)}"
        if attempt.status == "delivered":
            arrived = (_target(attempt), attempt.number) in received
            verdict.require("received", arrived, f"{name} is delivered, and no mail has come")
        if (attempt.lease_until or attempt.due_at) <= history.now - history.patience:
            verdict.require("settled", attempt.finished_at is not None, f"{name} is still {attempt.status}")


def _in_order(verdict: Verdict, history: History) -> None:
    """The steps are those of the plan, one after another, and no later one fired before an earlier one."""
    planned = [(step.number, step.node_index) for step in history.planned]
    rows = [(step.number, step.node_index) for step in history.steps]
    verdict.require("planned", rows == planned[: len(rows)], f"{history.execution.id} has steps {rows}")
    for earlier, later in zip(history.steps, history.steps[1:], strict=False):
        if later.fired_at is not None:
            in_order = earlier.fired_at is not None and earlier.fired_at <= later.fired_at
            verdict.require("ordered", in_order, f"{history.name(later.number)} overtook the one before")


def _nothing_early(verdict: Verdict, history: History) -> None:
    """Due times are the plan's, or were brought forward; nothing fires or arrives before them."""
    planned = {step.number: step.due_at for step in history.planned}
    due = {step.number: step.due_at for step in history.steps}
    for step in history.steps:
        on_plan = step.planned_at == planned.get(step.number) and step.due_at <= step.planned_at
        verdict.require("undrifted", on_plan, f"{history.name(step.number)} is due at {step.due_at}")
        if step.fired_at is not None:
            late = (step.fired_at - step.due_at).total_seconds()
            verdict.lateness.append(late)
            verdict.require("not early", late >= 0, f"{history.name(step.number)} fired {-late} s early")
            in_time = late <= history.patience.total_seconds()
            verdict.require("not late", in_time, f"{history.name(step.number)} fired {late} s late")
    for mail in history.mails:
        due_then = mail.target.step in due and mail.received_at >= due[mail.target.step]
        verdict.require("not early", due_then, f"a mail about {history.name(mail.target.step)} came too soon")


def _silence(verdict: Verdict, history: History) -> None:
    """After an answer nothing fires, and no mail comes but what was being transmitted already."""
    answered_at = history.answered_at
    if answered_at is None:
        return
    for step in history.steps:
        silent = step.fired_at is None or step.fired_at <= answered_at
        verdict.require("silent", silent, f"{history.name(step.number)} fired after the answer")
    begun = {
        (_target(attempt), attempt.number)
        for attempt in history.attempts
        if attempt.transmit_at is not None and attempt.transmit_at <= answered_at
    }
    for mail in history.mails:
        in_flight = (mail.target, mail.attempt) in begun
        silent = mail.received_at <= answered_at or in_flight
        verdict.require("silent", silent, f"a mail about {history.name(mail.target.step)} after the answer")


def _once(verdict: Verdict, history: History) -> None:
    """A second mail to a target has the Message-ID of the first, and is announced as a possible repeat."""
    attempts: dict[Target, list[Attempt]] = defaultdict(list)
    for attempt in history.attempts:
        attempts[_target(attempt)].append(attempt)
    for target, mails in _by_target(history.mails):
        name = f"target {target.target} of {history.name(target.step)}"
        known = {attempt.number for attempt in attempts[target]}
        verdict.require("known", {mail.attempt for mail in mails} <= known, f"{name} has mails without a row")
        ids = {mail.message_id for mail in mails}
        verdict.require("one Message-ID", len(ids) == 1, f"{name} was told as {sorted(ids)}")
        claims = sum(attempt.claim_number for attempt in attempts[target])
        announced = len(mails) == 1 or any(attempt.may_repeat for attempt in attempts[target])
        verdict.require("once", announced and len(mails) <= claims, f"{name} was told {len(mails)} times")
    ids_of_targets = Counter(id_ for id_, _ in {(mail.message_id, mail.target) for mail in history.mails})
    shared = [id_ for id_, count in ids_of_targets.items() if count > 1]
    verdict.require("own Message-ID", not shared, f"{shared} name more than one target")


def _by_target(mails: Sequence[Mail]) -> Iterator[tuple[Target, list[Mail]]]:
    grouped: dict[Target, list[Mail]] = defaultdict(list)
    for mail in mails:
        grouped[mail.target].append(mail)
    yield from grouped.items()


def _target(attempt: Attempt) -> Target:
    return Target(attempt.execution_id, attempt.step_number, attempt.target_number)
