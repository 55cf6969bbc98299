"""Times and waits as people write them: `2026-01-31T12:00:00Z`, `30m`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from alertops.flow_files import durations


def wait(value: str) -> int:
    """`90s`, `5m`, `1h30m` as seconds."""
    seconds = durations.to_seconds(value)
    if seconds is None:
        raise click.BadParameter(f"{value!r} is no duration such as 90s, 5m or 1h30m.")
    return seconds


def instant(value: str) -> str:
    """A time in ISO 8601, with its offset: what the clock of this machine is set to does not matter."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no time such as 2026-01-31T12:00:00Z.") from error
    if at.tzinfo is None:
        raise click.BadParameter(f"{value!r} does not say its offset; in UTC it ends with Z.")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def clock(instant: str | None) -> str:
    """A time of the API as a person reads one: in UTC, to the second."""
    if instant is None:
        return ""
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
