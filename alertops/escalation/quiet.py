"""Quiet hours: when somebody does not want to be told on one of their ways, but for what is severe enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alertops.escalation.hours import Hours, hours_from_json, within


@dataclass(frozen=True)
class QuietHours:
    """When it is quiet, and what is told all the same."""

    hours: Hours
    except_severities: frozenset[str] = frozenset()


def quiet_from_json(data: Mapping[str, Any]) -> QuietHours:
    """Read them as they are stored, which is as they are written in the API."""
    return QuietHours(hours_from_json(data), frozenset(data["except_severities"]))


def is_quiet(quiet: QuietHours, at: datetime, severity: str) -> bool:
    """Whether an alert of this severity is not told then. `at` has a time zone, whichever."""
    return severity not in quiet.except_severities and within(quiet.hours, at)
