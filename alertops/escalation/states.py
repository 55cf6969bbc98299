"""The states that executions, steps and attempts can be in. The database checks the same words."""

from __future__ import annotations

from enum import StrEnum


class ExecutionStatus(StrEnum):
    """One run of a flow for one alert.

    ::

                  acknowledge                             resolve, or nobody did in time
        running ──────────────▶ acknowledged ─┐       any of these four ──────────────────▶ resolved
         ▲ │ │                   ▲            │
         │ │ │ snooze            │ acknowledge│           cancel, or the team is deleted
         │ │ └─────────▶ snoozed ┤            │       any of these four ──────────────────▶ cancelled
         │ │               │     │            │
         │ │ nothing left  │     │            │
         │ └─────────▶ exhausted ┘            │
         │                 │                  │
         └─────────────────┴──────────────────┘
           it comes back: not resolved in time, the snooze is over, escalated, reassigned

    `resolved` and `cancelled` are terminal. `exhausted` means that every node fired and nobody
    answered; the last person told may still answer, so it can be acknowledged, or snoozed.
    """

    RUNNING = "running"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    EXHAUSTED = "exhausted"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"


TERMINAL = frozenset({ExecutionStatus.RESOLVED, ExecutionStatus.CANCELLED})

# An alert with the key of an execution in one of these joins it instead of opening another. An
# exhausted execution is not among them: nobody is being told any more, so the alert must start anew.
OPEN_FOR_DEDUPLICATION = (
    ExecutionStatus.RUNNING,
    ExecutionStatus.ACKNOWLEDGED,
    ExecutionStatus.SNOOZED,
)


class TimerKind(StrEnum):
    """What an execution waits for beside its next step; one of each at most."""

    ACK_TIMEOUT = "ack_timeout"  # it was acknowledged, and is not resolved: it comes back
    SNOOZE = "snooze"  # the snooze is over: it comes back
    RESOLVE = "resolve"  # nobody said that it is over, for so long that it is taken to be


class TimerStatus(StrEnum):
    """`waiting` until its time, then `fired`, or `cancelled` when there is nothing to wait for any more."""

    WAITING = "waiting"
    FIRED = "fired"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """One firing of a node: `waiting` until its due time, then `fired`, or `cancelled`."""

    WAITING = "waiting"
    FIRED = "fired"
    CANCELLED = "cancelled"


class AttemptStatus(StrEnum):
    """One try at reaching one target.

    ::

        scheduled ──claim──▶ sending ──▶ delivered | failed | unknown
            │                   │  ▲
            │ acknowledge       │  └── claimed again: the lease ran out
            ▼                   ▼
        cancelled          cancelled (acknowledged before it was transmitted)
    """

    SCHEDULED = "scheduled"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


UNFINISHED = (AttemptStatus.SCHEDULED, AttemptStatus.SENDING)
