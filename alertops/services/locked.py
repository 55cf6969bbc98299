"""Rows that were read under an execution's lock, by those who do so for every step.

They are plain: nothing is written through them, and nothing keeps them up to date.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, Table

from alertops.models import Attempt, Execution, Step


@dataclass(frozen=True)
class LockedExecution:
    """What decides how an execution goes on."""

    id: UUID
    team_id: UUID
    flow_id: UUID
    revision_number: int
    status: str
    severity: str
    anchor_at: datetime
    not_before_at: datetime | None
    first_step: int
    definition: dict[str, Any] | None
    created_at: datetime
    snoozed_until: datetime | None


@dataclass(frozen=True)
class LockedStep:
    """Which node it fires, when, and whether it has."""

    number: int
    round: int
    node_id: str
    revision_number: int | None
    status: str
    due_at: datetime


@dataclass(frozen=True)
class LockedAttempt:
    """All that a sender looks at."""

    execution_id: UUID
    step_number: int
    target_number: int
    number: int
    channel: str
    address: str
    outsider_id: UUID | None
    user_id: UUID | None
    status: str
    due_at: datetime
    claim_number: int
    lease_id: UUID | None
    lease_until: datetime | None
    transmit_at: datetime | None
    may_repeat: bool


def _columns(model: type[Any], row: type[Any]) -> list[Column[Any]]:
    table = cast(Table, model.__table__)
    return [table.c[field.name] for field in fields(row)]


EXECUTION_COLUMNS = _columns(Execution, LockedExecution)
STEP_COLUMNS = _columns(Step, LockedStep)
ATTEMPT_COLUMNS = _columns(Attempt, LockedAttempt)
