"""The promises that rows alone can prove broken, checked for one execution at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from alertops.escalation.decision import Reason
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
    "timed": "what was to happen at a time, if nobody did anything before, has happened",
    "silent": "while it was silent nothing fired, and nothing came that was not on its way",
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
        self._timed()
        self._told()
        self._settled()
        self._retried()
        self._escalated()
        self._ended()
        self._in_order()
        self._on_course()
        self._on_time()
        self._silent()

    def require(self, promise: str, kept: bool, otherwise: str) -> None:
        self.verdict.require(promise, self.history.execution.id, kept, otherwise)

    def _fired(self) -> None:
        """A step that waits, or that an answer or a change of course cancelled, was not due for long."""
        for step in self.history.steps:
            ends = self.history.given_up_at(step)
            if step.fired_at is not None or self.history.deadline(step.due_at) <= ends:
                fired = step.fired_at is not None
                what = f"{self.history.name(step.number)} was due at {step.due_at}"
                self.require("fired", fired, what)

    def _timed(self) -> None:
        for timer in self.history.timers:
            late = timer.status == "waiting" and self.history.deadline(timer.due_at) <= self.history.now
            what = f"{timer.kind} of {self.history.execution.id} was to be at {timer.due_at}"
            self.require("timed", not late, what)
        execution = self.history.execution
        if execution.snoozed_until is not None:
            over = self.history.deadline(execution.snoozed_until) <= self.history.now
            what = f"{execution.id} was to come back at {execution.snoozed_until}"
            self.require("timed", not over, what)

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
            waited = later.created_at <= over_at < later.planned_at and later.number == earlier.number + 1
            if waited and self.history.ran_at(over_at) and self._same_leg(earlier, later):
                at_once = later.number in self.history.brought_forward
                what = f"{self.history.name(earlier.number)} reached nobody, and the next one waited"
                self.require("escalated", at_once, what)

    def _same_leg(self, earlier: Step, later: Step) -> bool:
        return self.history.stretch_of(later.number).first_step <= earlier.number

    def _ended(self) -> None:
        status = self.history.execution.status
        if status in ("running", "exhausted"):
            waiting = any(step.status == "waiting" for step in self.history.steps)
            left = waiting or any(attempt.finished_at is None for attempt in self.history.attempts)
            what = f"{self.history.execution.id} is {status}, with {'something' if left else 'nothing'} to do"
            self.require("ended", left == (status == "running"), what)

    def _in_order(self) -> None:
        execution = self.history.execution.id
        numbers = [step.number for step in self.history.steps]
        self.require("planned", numbers == list(range(1, len(numbers) + 1)), f"{execution} has {numbers}")
        for step in self.history.steps:
            expected = self.history.expected(step.number)
            as_planned = expected is not None and expected.firing == (step.round, step.node_id)
            what = f"{self.history.name(step.number)} fires {step.node_name}, not {expected}"
            # What was cancelled may have been planned by a course that was never gone.
            self.require("planned", as_planned or step.status == "cancelled", what)
        self._followed()
        for earlier, later in pairwise(self.history.steps):
            if later.fired_at is not None:
                cancelled = earlier.status == "cancelled"
                in_order = earlier.fired_at is not None and earlier.fired_at <= later.fired_at
                what = f"{self.history.name(later.number)} overtook the one before"
                self.require("ordered", cancelled or in_order, what)

    def _followed(self) -> None:
        """The next step is inserted with the firing: there is no moment without it."""
        last = self.history.steps[-1] if self.history.steps else None
        followed = last is not None and (last.fired_at is None or not self.history.left_after(last))
        what = f"the last step of {self.history.execution.id} has fired, and the next one does not wait"
        self.require("planned", followed, what)

    def _on_course(self) -> None:
        """A rebase counts from where the execution counted before; what is due by then is due at it."""
        for earlier, later in pairwise(self.history.stretches):
            if later.reason == Reason.REBASED:
                kept = later.course.anchor_at == earlier.course.anchor_at
                kept &= later.first_step == earlier.first_step and later.course.not_before is not None
                what = f"{self.history.execution.id} was rebased, and counts from {later.course.anchor_at}"
                self.require("undrifted", kept, what)

    def _on_time(self) -> None:
        for step in self.history.steps:
            expected = self.history.expected(step.number)
            planned_at = step.planned_at if expected is None else expected.due_at
            on_plan = step.status == "cancelled" or step.planned_at == planned_at
            on_plan &= step.due_at <= step.planned_at
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
        """While it is silent nothing fires, and nothing is handed to a provider any more."""
        for step in self.history.steps:
            if step.fired_at is not None:
                what = f"{self.history.name(step.number)} fired after the answer"
                self.require("silent", self.history.ran_at(step.fired_at), what)
        for attempt in self.history.attempts:
            if attempt.transmit_at is not None:
                left_at = self.history.left_behind_at(attempt.step_number)
                kept = self.history.ran_at(attempt.transmit_at)
                kept &= left_at is None or attempt.transmit_at <= left_at
                what = f"{self.history.name(attempt.step_number)} was sent after the answer"
                self.require("silent", kept, what)


def _unreached_at(attempts: Sequence[Attempt]) -> datetime | None:
    """When the last attempt of a step ended, if none of them reached anybody; else None."""
    if not attempts or any(attempt.status not in ("failed", "unknown") for attempt in attempts):
        return None
    return max(attempt.finished_at for attempt in attempts if attempt.finished_at is not None)


def judge_rows(verdict: Verdict, history: History) -> None:
    """Check every promise that rows can prove broken, for one execution."""
    Judge(verdict, history).rows()
