"""Quiet hours: whoever has them is told what is severe enough, and the rest when they are over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time
from zoneinfo import ZoneInfo

from alertops.escalation.contact import USUAL, ContactMethod, methods_from_json
from alertops.escalation.hours import Hours
from alertops.escalation.quiet import QuietHours, is_quiet, quiet_from_json

BERLIN = "Europe/Berlin"
NIGHT = QuietHours(Hours(time(22), time(7), BERLIN))


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN))


def test_severities_that_are_excepted_are_never_quiet() -> None:
    night = replace(NIGHT, except_severities=frozenset({"critical"}))
    assert not is_quiet(night, berlin("2026-03-10 23:00"), "critical")
    assert is_quiet(night, berlin("2026-03-10 23:00"), "error")


def test_a_method_is_judged_at_the_time_at_which_it_would_be_used() -> None:
    method = ContactMethod("email", after_seconds=3600, quiet=NIGHT)
    assert not method.is_quiet(berlin("2026-03-10 20:59:59"), "warning")
    assert method.is_quiet(berlin("2026-03-10 21:00"), "warning")
    assert not method.is_quiet(berlin("2026-03-11 06:00"), "warning")


def test_methods_are_read_as_they_are_stored() -> None:
    night = {"from": "22:00", "to": "07:00", "time_zone": BERLIN, "days": None, "except_severities": []}
    stored = [
        {"channel": "email", "after_seconds": 0, "quiet": night},
        {"channel": "webhook", "url": "https://example.org/x", "after_seconds": 120, "quiet": None},
    ]
    assert methods_from_json(stored) == [
        ContactMethod("email", quiet=NIGHT),
        ContactMethod("webhook", "https://example.org/x", 120),
    ]
    assert quiet_from_json({**night, "days": ["monday"]}).hours.days == {"monday"}


def test_who_has_said_nothing_is_told_by_mail_at_once() -> None:
    assert methods_from_json(None) == methods_from_json([]) == USUAL == (ContactMethod("email"),)
