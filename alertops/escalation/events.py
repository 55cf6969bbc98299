"""What can happen to an escalation, with what was read under the lock when it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alertops.escalation.states import AttemptStatus, StepStatus


@dataclass(frozen=True)
class WaitingStep:
    """The one step that an execution waits for; there is never more than one."""

    number: int
    due_at: datetime


@dataclass(frozen=True)
class Progress:
    """How far an execution is, apart from the attempt that an event is about."""

    waiting: WaitingStep | None
    reached: bool  # another attempt of the same step was delivered
    open_in_step: int  # other attempts of the same step, scheduled or sending
    open_elsewhere: int  # the same, of other steps


@dataclass(frozen=True)
class StepWoken:
    """A wake-up for a step arrived."""

    step: int
    status: StepStatus
    due_at: datetime


@dataclass(frozen=True)
class NobodyToTell:
    """A step fired, and its recipient resolved to no target at all."""

    step: int
    progress: Progress


@dataclass(frozen=True)
class AttemptWoken:
    """A wake-up for an attempt arrived."""

    status: AttemptStatus
    due_at: datetime
    lease_until: datetime | None
    may_repeat: bool


@dataclass(frozen=True)
class LeaseExpired:
    """The worker that claimed an attempt was not heard of in time."""

    step: int
    claims: int
    transmitted: bool
    may_repeat: bool
    progress: Progress


@dataclass(frozen=True)
class AttemptEnded:
    """A send came to an end. `permanent`: the channel says that trying again cannot help."""

    step: int
    attempt: int
    outcome: AttemptStatus
    permanent: bool
    may_repeat: bool
    jitter: float
    progress: Progress


@dataclass(frozen=True)
class Acknowledge:
    """Somebody has taken it."""


@dataclass(frozen=True)
class Resolve:
    """It is over."""


@dataclass(frozen=True)
class Cancel:
    """It is not wanted any more: its team is deleted."""


Event = StepWoken | NobodyToTell | AttemptWoken | LeaseExpired | AttemptEnded | Acknowledge | Resolve | Cancel
