"""Run a guarded statement, and say whether its guard held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, Update, func
from sqlalchemy.orm import Session

now = func.clock_timestamp


def changed(session: Session, statement: Update, values: Mapping[str, Any]) -> bool:
    """Whether the one row was there, as the guard wants it."""
    result: CursorResult[Any] = session.execute(statement, values)  # type: ignore[assignment]  # an UPDATE gives a cursor's result
    return result.rowcount == 1
