"""`Retry-After` (RFC 9110, 10.2.3): how long a receiver asks to be left alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Whoever asks for more is told again after this, if anybody still wants to tell them.
LONGEST_SECONDS = 7 * 24 * 3600

_MAX_DIGITS = 9


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds from now, 0 when it does not say, or nothing that can be understood. Names are in lower case.

    A date is held against the receiver's own clock, if it tells that too: whose clock is wrong does not
    matter then.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit() and len(said) <= _MAX_DIGITS:
        return min(float(said), LONGEST_SECONDS)
    then = _date(said)
    if then is None:
        return 0.0
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return min(max(0.0, (then - now).total_seconds()), LONGEST_SECONDS)


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    # HTTP's dates are in GMT; one that does not say so is taken for one all the same.
    return at if at.tzinfo else at.replace(tzinfo=UTC)
