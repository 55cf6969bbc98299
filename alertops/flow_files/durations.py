"""Durations as people write them: `90s`, `5m`, `1h30m`, `2d`; and nothing as `0`."""

from __future__ import annotations

import re

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}

# Largest unit first, each once; in the dialect that JSON Schema and Python share.
PATTERN = "^(?=[0-9])" + "".join(f"([0-9]{{1,8}}{unit})?" for unit in _UNITS) + "$"
_FORM = re.compile(PATTERN)


def to_seconds(text: str | int) -> int | None:
    """How many seconds that is; None when it is no duration. Of plain numbers only 0 is one."""
    if text == 0:
        return 0
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    return sum(int(part[:-1]) * seconds for part, seconds in parts if part)


def to_text(seconds: int) -> str:
    """The shortest way to write it, largest unit first."""
    if seconds == 0:
        return "0s"
    parts = []
    for unit, size in _UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
