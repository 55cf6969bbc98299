"""Run a guarded statement, and say whether its guard held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from alertops.services.prepared import Prepared

now = func.clock_timestamp


def changed(session: Session, statement: Prepared, values: Mapping[str, Any]) -> bool:
    """Whether the one row was there, as the guard wants it."""
    return statement.run(session, values).rowcount == 1
