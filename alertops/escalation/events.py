"""What can happen to an escalation, with what was read under the lock when it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from alertops.escalation.flow import Flow
from alertops.escalation.plan import Firing
from alertops.escalation.states import AttemptStatus, StepStatus, TimerKind, TimerStatus


class Due(NamedTuple):
    """The step that waits, and when it is due."""

    number: int
    due_at: datetime


@dataclass(frozen=True)
class Progress:
    """How far an execution is, apart from the attempt that an event is about."""

    waiting: Due | None
    reached: bool  # another attempt of the same step was delivered
    open_in_step: int  # other attempts of the same step, scheduled or sending
    open_elsewhere: int  # the same, of other steps


@dataclass(frozen=True)
class StepWoken:
    """A wake-up for a step arrived."""

    step: int
    firing: Firing
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

    step: int
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
    began_at: datetime  # when the first attempt at this target was due
    progress: Progress
    not_before_seconds: float = 0.0  # how long the receiver asks to be left alone


@dataclass(frozen=True)
class Acknowledge:
    """Somebody has taken it."""


@dataclass(frozen=True)
class Resolve:
    """It is over."""


@dataclass(frozen=True)
class Cancel:
    """It is not wanted any more, or its team is deleted."""


@dataclass(frozen=True)
class Snooze:
    """Nobody is to be told until then."""

    until: datetime


@dataclass(frozen=True)
class Unsnooze:
    """It is to go on now."""


@dataclass(frozen=True)
class Escalate:
    """This step, the one that comes next, is not to wait. Named, so that asking twice skips nobody."""

    step: int


@dataclass(frozen=True)
class Reassign:
    """Another flow is to be run, from its beginning; `same` if it is what is being run already."""

    flow: Flow
    same: bool


@dataclass(frozen=True)
class Rebase:
    """It is to go on with another revision of its flow; `open_attempts` are scheduled or being sent.

    `reached`: somebody was told by the step that fired last, or may still be.
    """

    flow: Flow
    open_attempts: int
    reached: bool = True


@dataclass(frozen=True)
class TimerWoken:
    """A wake-up for a timer arrived."""

    kind: TimerKind
    status: TimerStatus
    due_at: datetime


Operation = Acknowledge | Resolve | Cancel | Snooze | Unsnooze | Escalate | Reassign | Rebase
"""What people ask of an execution."""

Event = StepWoken | NobodyToTell | AttemptWoken | LeaseExpired | AttemptEnded | TimerWoken | Operation
