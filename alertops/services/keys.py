"""The keys that wake-ups carry and rows are found by."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from alertops.models import Attempt
from alertops.services.locked import LockedAttempt


class StepKey(NamedTuple):
    """One firing of a node within an execution."""

    execution_id: UUID
    step: int


class TimerKey(NamedTuple):
    """One thing that an execution waits for beside its next step."""

    execution_id: UUID
    number: int


class HeartbeatKey(NamedTuple):
    """One look at whether a job has pinged."""

    heartbeat_id: UUID
    wake: int


class AttemptKey(NamedTuple):
    """One try at one target of a step."""

    execution_id: UUID
    step: int
    target: int
    attempt: int

    @classmethod
    def of(cls, row: Attempt | LockedAttempt) -> AttemptKey:
        return cls(row.execution_id, row.step_number, row.target_number, row.number)

    @property
    def idempotency_key(self) -> str:
        """The name under which a receiver sees the message: the same in every attempt at a target.

        An attempt whose outcome is unknown and the attempt after it are then recognisably one message.
        """
        return f"{self.execution_id}.{self.step}.{self.target}"
