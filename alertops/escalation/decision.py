"""What a decision can say. Effects are data; `alertops.services.apply` carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertops.escalation.plan import Course, PlannedStep
from alertops.escalation.states import AttemptStatus, ExecutionStatus, TimerKind


class Reason(StrEnum):
    """Why a decision is what it is; written to logs and to the timeline."""

    STALE = "stale"  # the wake-up is about something that is over
    EARLY = "early"  # it is not due yet
    DUE = "due"
    LEASED = "leased"  # another worker is sending it
    EXPIRED = "expired"  # that worker was not heard of in time
    RECLAIM = "reclaim"  # it had sent nothing
    RESEND = "resend"  # it may have sent it
    HELD = "held"  # it may have sent it, and the node wants no duplicates
    GAVE_UP = "gave_up"  # too many workers went down with it
    REACHED = "reached"
    RETRY = "retry"
    SETTLED = "settled"  # nothing more to do here, the escalation goes on as planned
    UNREACHED = "unreached"  # nobody was told: do not wait for an answer
    EXHAUSTED = "exhausted"
    ANSWERED = "answered"
    ACK_TIMED_OUT = "ack_timed_out"  # acknowledged, and not resolved in time
    SNOOZE_OVER = "snooze_over"
    RESOLVED_BY_TIME = "resolved_by_time"  # nobody said for so long that it goes on
    UNSNOOZED = "unsnoozed"
    ESCALATED = "escalated"
    REASSIGNED = "reassigned"
    REBASED = "rebased"
    ALREADY = "already"  # it is so already: repeating is fine
    REFUSED = "refused"  # not possible from this state


@dataclass(frozen=True)
class FireStep:
    step: int


@dataclass(frozen=True)
class PlanStep:
    planned: PlannedStep


@dataclass(frozen=True)
class ReplanStep:
    """What waits is another node, or another time, under the same number; due then, or before."""

    planned: PlannedStep
    due_at: datetime


@dataclass(frozen=True)
class SetCourse:
    """Due times are counted from something else, from the step with this number on."""

    course: Course
    from_step: int


@dataclass(frozen=True)
class SetTimer:
    kind: TimerKind
    due_at: datetime


@dataclass(frozen=True)
class CancelTimers:
    """There is nothing to wait for any more, as far as these go."""

    kinds: tuple[TimerKind, ...]


@dataclass(frozen=True)
class WakeAgain:
    at: datetime


@dataclass(frozen=True)
class ClaimAttempt:
    may_repeat: bool


@dataclass(frozen=True)
class EndAttempt:
    outcome: AttemptStatus


@dataclass(frozen=True)
class RetryAttempt:
    attempt: int
    due_at: datetime
    may_repeat: bool


@dataclass(frozen=True)
class BringForward:
    step: int
    due_at: datetime


@dataclass(frozen=True)
class CancelStep:
    """What waits is not in the plan any more."""

    step: int


@dataclass(frozen=True)
class CancelWaiting:
    """Cancel the waiting step and the scheduled attempts; what is being sent is not called back."""


Effect = (
    FireStep
    | PlanStep
    | ReplanStep
    | SetCourse
    | SetTimer
    | CancelTimers
    | WakeAgain
    | ClaimAttempt
    | EndAttempt
    | RetryAttempt
    | BringForward
    | CancelStep
    | CancelWaiting
)


@dataclass(frozen=True)
class Decision:
    """A transition of the execution (`to`, or None when it stays), effects in order, and the reason."""

    reason: Reason
    effects: tuple[Effect, ...] = ()
    to: ExecutionStatus | None = None

    @property
    def ended_as(self) -> AttemptStatus | None:
        """The state in which the attempt that the event was about ends, if it ends."""
        ends = (effect.outcome for effect in self.effects if isinstance(effect, EndAttempt))
        return next(ends, None)
