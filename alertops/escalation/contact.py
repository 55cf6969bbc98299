"""Contact methods: the ways on which somebody wants to be told, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alertops.escalation.quiet import QuietHours, is_quiet, quiet_from_json

MAX_METHODS = 5
MAX_AFTER_SECONDS = 24 * 3600


@dataclass(frozen=True)
class ContactMethod:
    """A channel, how long after the step is due it is used, and when it is not.

    Without a URL, it leads to the e-mail address of the account.
    """

    channel: str
    url: str | None = None
    after_seconds: int = 0
    quiet: QuietHours | None = None

    def is_quiet(self, step_due_at: datetime, severity: str) -> bool:
        """Whether it is passed over: what counts is the time at which it would be used."""
        if self.quiet is None:
            return False
        return is_quiet(self.quiet, step_due_at + timedelta(seconds=self.after_seconds), severity)


# Who has said nothing is told by e-mail, at once.
USUAL = (ContactMethod("email"),)


def methods_from_json(data: Sequence[Mapping[str, Any]] | None) -> Sequence[ContactMethod]:
    """Read a list as it is stored; none, or an empty one, is the usual."""
    return [_method(each) for each in data] if data else USUAL


def _method(data: Mapping[str, Any]) -> ContactMethod:
    quiet = None if data["quiet"] is None else quiet_from_json(data["quiet"])
    return ContactMethod(data["channel"], data.get("url"), data["after_seconds"], quiet)
