"""The promises that rows alone can prove broken, checked for one execution at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from alertops.escalation.flow import OnFailure
from alertops.escalation.recipients import addresses_named
from alertops.models import Attempt, Step
from alertops.verify.history import History

# What each promise says, in the order of an alert's journey.
PROMISES = {
    "fired": "every step that came due before the answer has fired",
    "planned": "the steps are the plan's, none skipped or repeated, and none fired without the next",
    "ordered": "no step overtook the one before it",
    "undrifted": "due times are the plan's, or were brought forward",
    "not early": "nothing fired or arrived before it was due",
    "not late": "nothing fired later than recovery allows",
    "told": "every step that fired told somebody, or said that there was nobody",
    "addressed": "nobody was told but the recipient of the node",
    "settled": "no attempt that has had its time is without an outcome",
    "retried": "every attempt that was to be tried again was",
    "escalated": "where nobody could be reached the next step did not wait for its time",
    "ended": "an execution ended when nothing was left to do, and not before",
    "silent": "after the answer nothing fired, and nothing came that was not on its way",
}


@dataclass(frozen=True)
class Violation:
    """A broken promise, as a sentence, and the execution that shows it."""

    promise: str
    execution_id: UUID
    sentence: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.sentence}"


@dataclass
class Verdict:
    """What was checked, how often; and what was broken.

    `lateness` is how long after its due time each step fired, in seconds.
    """

    executions: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        """Each broken promise as a sentence."""
        return [str(violation) for violation in self.violations]

    def require(self, promise: str, execution_id: UUID, kept: bool, otherwise: str) -> None:
        self.checked[promise] += 1
        if not kept:
            self.violations.append(Violation(promise, execution_id, otherwise))

    def __str__(self) -> str:
        checked = ", ".join(f"{count} x {promise}" for promise, count in sorted(self.checked.items()))
        return "\n".join([f"checked {checked or 'nothing'}", *(self.broken or ["all promises kept"])])


@dataclass(frozen=True)
class Judge:
    """Checks one history; what it finds goes into the verdict."""

    verdict: Verdict
    history: History

    def rows(self) -> None:
        """Check every promise that needs nothing but rows."""
        self.verdict.executions += 1
        self._fired()
        self._told()
        self._settled()
        self._retried()
        self._escalated()
        self._ended()
        self._in_order()
        self._on_time()
        self._silent()

    def require(self, promise: str, kept: bool, otherwise: str) -> None:
        self.verdict.require(promise, self.history.execution.id, kept, otherwise)

    def _fired(self) -> None:
        """A step that was not even inserted is as lost as one that waits for ever."""
        rows = {step.number: step for step in self.history.steps}
        for planned in self.history.planned:
            row = rows.get(planned.number)
            due = min(planned.due_at, row.due_at) if row else planned.due_at
            if self.history.must_have_happened(due):
                fired = row is not None and row.fired_at is not None
                self.require("fired", fired, f"{self.history.name(planned.number)} was due at {due}")

    def _told(self) -> None:
        told = {attempt.step_number for attempt in self.history.attempts} | self.history.told_nobody
        for step in self.history.steps:
            if step.fired_at is not None:
                self.require("told", step.number in told, f"{self.history.name(step.number)} told nobody")
        for attempt in self.history.attempts:
            allowed = addresses_named(self.history.node_of(attempt.step_number).recipient)
            kept = allowed is None or attempt.address in allowed
            named = ", ".join(sorted(allowed or ()))
            what = f"{self.history.name(attempt.step_number)} is for {named}, and told {attempt.address}"
            self.require("addressed", kept, what)

    def _settled(self) -> None:
        for attempt in self.history.attempts:
            # Of a step that fired late, attempts are due before they are there.
            since = attempt.lease_until or max(attempt.due_at, attempt.created_at)
            if self.history.deadline(since) <= self.history.now:
                name = f"attempt {attempt.number} of {self.history.name(attempt.step_number)}"
                done = attempt.finished_at is not None
                self.require("settled", done, f"{name} is still {attempt.status}")

    def _retried(self) -> None:
        """What is to be tried again is inserted with the failure: there is no moment without it."""
        attempts = {(a.step_number, a.target_number, a.number) for a in self.history.attempts}
        for step, target, number in sorted(self.history.to_retry):
            what = f"attempt {number} of {self.history.name(step)} was to be tried again"
            self.require("retried", (step, target, number + 1) in attempts, what)

    def _escalated(self) -> None:
        """A step is over when all its attempts are; what is decided then is decided in that moment."""
        attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
        for attempt in self.history.attempts:
            attempts[attempt.step_number].append(attempt)
        for earlier, later in pairwise(self.history.steps):
            over_at = _unreached_at(attempts[earlier.number])
            if over_at is None or self.history.node_of(earlier.number).on_failure is OnFailure.WAIT:
                continue
            answered = self.history.answered_at is not None and self.history.answered_at <= over_at
            if not answered and later.planned_at > over_at:
                at_once = later.number in self.history.brought_forward
                what = f"{self.history.name(earlier.number)} reached nobody, and the next one waited"
                self.require("escalated", at_once, what)

    def _ended(self) -> None:
        status = self.history.execution.status
        if status in ("running", "exhausted"):
            waiting = any(step.status == "waiting" for step in self.history.steps)
            left = waiting or any(attempt.finished_at is None for attempt in self.history.attempts)
            what = f"{self.history.execution.id} is {status}, with {'something' if left else 'nothing'} to do"
            self.require("ended", left == (status == "running"), what)

    def _in_order(self) -> None:
        planned = [(step.number, step.node_index) for step in self.history.planned]
        rows = [(step.number, step.node_index) for step in self.history.steps]
        execution = self.history.execution.id
        self.require("planned", rows == planned[: len(rows)], f"{execution} has steps {rows}")
        # The next step is inserted with the firing: there is no moment without it.
        followed = not rows or self.history.steps[-1].fired_at is None or len(rows) >= len(planned)
        self.require(
            "planned", followed, f"the last step of {execution} that is there has fired, of {planned}"
        )
        for earlier, later in zip(self.history.steps, self.history.steps[1:], strict=False):
            if later.fired_at is not None:
                in_order = earlier.fired_at is not None and earlier.fired_at <= later.fired_at
                self.require(
                    "ordered", in_order, f"{self.history.name(later.number)} overtook the one before"
                )

    def _on_time(self) -> None:
        planned = {step.number: step.due_at for step in self.history.planned}
        for step in self.history.steps:
            on_plan = step.planned_at == planned.get(step.number) and step.due_at <= step.planned_at
            self.require("undrifted", on_plan, f"{self.history.name(step.number)} is due at {step.due_at}")
            if step.fired_at is not None:
                self._punctual(step, (step.fired_at - step.due_at).total_seconds())
        for attempt in self.history.attempts:
            if attempt.transmit_at is not None:
                name = f"attempt {attempt.number} of {self.history.name(attempt.step_number)}"
                due_then = attempt.transmit_at >= attempt.due_at
                self.require("not early", due_then, f"{name} was sent before its pause was over")

    def _punctual(self, step: Step, late: float) -> None:
        name = self.history.name(step.number)
        self.verdict.lateness.append(late)
        self.require("not early", late >= 0, f"{name} fired {-late} s early")
        in_time = step.fired_at is None or step.fired_at <= self.history.deadline(step.due_at)
        self.require("not late", in_time, f"{name} was due at {step.due_at}, and fired {late} s late")

    def _silent(self) -> None:
        """After an answer nothing fires, and nothing is handed to a mail server any more."""
        answered_at = self.history.answered_at
        if answered_at is None:
            return
        for step in self.history.steps:
            silent = step.fired_at is None or step.fired_at <= answered_at
            self.require("silent", silent, f"{self.history.name(step.number)} fired after the answer")
        for attempt in self.history.attempts:
            silent = attempt.transmit_at is None or attempt.transmit_at <= answered_at
            what = f"{self.history.name(attempt.step_number)} was sent after the answer"
            self.require("silent", silent, what)


def _unreached_at(attempts: Sequence[Attempt]) -> datetime | None:
    """When the last attempt of a step ended, if none of them reached anybody; else None."""
    if not attempts or any(attempt.status not in ("failed", "unknown") for attempt in attempts):
        return None
    return max(attempt.finished_at for attempt in attempts if attempt.finished_at is not None)


def judge_rows(verdict: Verdict, history: History) -> None:
    """Check every promise that rows can prove broken, for one execution."""
    Judge(verdict, history).rows()
