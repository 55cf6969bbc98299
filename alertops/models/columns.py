"""Column shapes that several tables share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import mapped_column

PrimaryId = Annotated[UUID, mapped_column(primary_key=True, server_default=func.gen_random_uuid())]
# `now()` is the start of the transaction: all rows that one transaction writes agree on the time.
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """A check that the column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def length_of(column: str, low: int, high: int) -> CheckConstraint:
    """A check on the length of a text column, in characters."""
    return CheckConstraint(f"char_length({column}) BETWEEN {low} AND {high}", name=f"{column}_length")
