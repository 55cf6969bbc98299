"""What Grafana signs a notification with: HMAC-SHA256 in hex, of the body, or of a time and the body.

    X-Grafana-Alerting-Signature: 5d41...      of the body, or of `1709208000:` and the body, if there is
    X-Grafana-Alerting-Timestamp: 1709208000   the header in which the contact point sends the time

Whoever has read a notification on its way can send it again: where there is a time, it must be about now.
What was signed with a time cannot pass for what was signed without one: it does not begin as JSON does.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

SIGNATURE = "X-Grafana-Alerting-Signature"
TIMESTAMP = "X-Grafana-Alerting-Timestamp"
TOLERANCE = timedelta(minutes=5)

_SECONDS = re.compile("[0-9]{1,11}", re.ASCII)


def is_signed(body: bytes, secret: str, signature: str | None, timestamp: str | None, now: datetime) -> bool:
    """Whether somebody with the secret has signed this, and not too long ago, if it says when."""
    if timestamp is not None and not _is_about(timestamp, now):
        return False
    signed = body if timestamp is None else timestamp.encode() + b":" + body
    right = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), (signature or "").encode())


def _is_about(timestamp: str, now: datetime) -> bool:
    if not _SECONDS.fullmatch(timestamp):
        return False
    return abs(datetime.fromtimestamp(int(timestamp), UTC) - now) <= TOLERANCE
