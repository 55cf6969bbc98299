"""Hours that come again: from a time of day to another one, on some days of the week, by a clock on the wall.

The wall clock of a time zone decides, since that is what people mean by "from 22:00 to 07:00". So the hour
that a clock shows twice in autumn is met twice, and the one that it skips in spring is never met.

::

    from 22:00 to 07:00   ──────┤22:00 ░░░░░ 24:00 ░░░░░ 07:00├──────   of the day on which it begins
    from 09:00 to 17:00   ──────┤09:00 ░░░░░ 17:00├──────────────────
    from 00:00 to 00:00   ├00:00 ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 00:00┤   equal times: the whole day
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# In the order of `datetime.weekday`.
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Hours:
    """From a time of day up to, and without, another one, on the days on which it begins."""

    begins: time
    ends: time
    time_zone: str
    days: frozenset[str] = frozenset(DAYS)


def hours_from_json(data: Mapping[str, Any]) -> Hours:
    """Read them as they are stored, which is as they are written in the API."""
    return Hours(
        begins=time.fromisoformat(data["from"]),
        ends=time.fromisoformat(data["to"]),
        time_zone=data["time_zone"],
        days=frozenset(DAYS if data["days"] is None else data["days"]),
    )


def within(hours: Hours, at: datetime) -> bool:
    """Whether it is in these hours. `at` has a time zone, whichever."""
    return _begun(hours, at) is not None


def end_of(hours: Hours, at: datetime) -> datetime | None:
    """When the hours end that `at` is within, in UTC; None when it is in none.

    An end that a clock shows twice is the first one that is still to come; one that it skips comes when as
    much time has passed as if it had not been skipped.
    """
    begun = _begun(hours, at)
    if begun is None:
        return None
    day = begun if hours.begins < hours.ends else begun + timedelta(days=1)
    shown = datetime.combine(day, hours.ends, ZoneInfo(hours.time_zone))
    times = [shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    return next((time for time in times if time > at), None)


def _begun(hours: Hours, at: datetime) -> date | None:
    """The day on which the hours began that it is in the middle of; None when it is in none."""
    try:
        local = at.astimezone(ZoneInfo(hours.time_zone))
    except ZoneInfoNotFoundError:
        # Written by a machine that knows more zones than this one: rather wake somebody than nobody.
        return None
    begun = _begun_on(hours, local.date(), local.time())
    return begun if begun is not None and DAYS[begun.weekday()] in hours.days else None


def _begun_on(hours: Hours, today: date, clock: time) -> date | None:
    if hours.begins < hours.ends:
        return today if hours.begins <= clock < hours.ends else None
    if clock >= hours.begins:
        return today
    return today - timedelta(days=1) if clock < hours.ends else None
