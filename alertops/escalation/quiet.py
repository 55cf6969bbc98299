"""Quiet hours: when somebody does not want to be told on one of their ways.

The wall clock of their time zone decides, since that is what people mean by "from 22:00 to 07:00". So the
hour that a clock shows twice in autumn is quiet twice, and the one that it skips in spring is never met.

::

    from 22:00 to 07:00   ──────┤22:00 ░░░░░ 24:00 ░░░░░ 07:00├──────   of the day on which it begins
    from 09:00 to 17:00   ──────┤09:00 ░░░░░ 17:00├──────────────────
    from 00:00 to 00:00   ├00:00 ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 00:00┤   equal times: the whole day
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# In the order of `datetime.weekday`.
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class QuietHours:
    """From a time of day up to, and without, another one, on the days on which it begins."""

    begins: time
    ends: time
    time_zone: str
    days: frozenset[str] = frozenset(DAYS)
    except_severities: frozenset[str] = frozenset()


def quiet_from_json(data: Mapping[str, Any]) -> QuietHours:
    """Read them as they are stored, which is as they are written in the API."""
    return QuietHours(
        begins=time.fromisoformat(data["from"]),
        ends=time.fromisoformat(data["to"]),
        time_zone=data["time_zone"],
        days=frozenset(DAYS if data["days"] is None else data["days"]),
        except_severities=frozenset(data["except_severities"]),
    )


def is_quiet(quiet: QuietHours, at: datetime, severity: str) -> bool:
    """Whether an alert of this severity is not told then. `at` has a time zone, whichever."""
    if severity in quiet.except_severities:
        return False
    try:
        local = at.astimezone(ZoneInfo(quiet.time_zone))
    except ZoneInfoNotFoundError:
        # Written by a machine that knows more zones than this one: rather wake somebody than nobody.
        return False
    begun = _begun_on(quiet, local.date(), local.time())
    return begun is not None and DAYS[begun.weekday()] in quiet.days


def _begun_on(quiet: QuietHours, today: date, clock: time) -> date | None:
    """The day on which the quiet hours began that it is in the middle of; None when it is in none."""
    if quiet.begins < quiet.ends:
        return today if quiet.begins <= clock < quiet.ends else None
    if clock >= quiet.begins:
        return today
    return today - timedelta(days=1) if clock < quiet.ends else None
