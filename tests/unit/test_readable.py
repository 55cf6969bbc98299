"""What people read of a wake-up names the parts of its key."""

from __future__ import annotations

from dataclasses import astuple
from datetime import UTC, datetime
from uuid import UUID

import pytest

from alertops.services import dispatch
from alertops.services.dispatch import (
    AttemptWakeUp,
    HeartbeatWakeUp,
    LetterWakeUp,
    StepWakeUp,
    TimerWakeUp,
    WakeUp,
    _message,
)
from alertops.services.keys import AttemptKey, HeartbeatKey, StepKey, TimerKey
from tasks.readable import PARTS, readable

ID = UUID("3f2c8f5e-0000-4000-8000-000000000001")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wake_up", "read"),
    [
        (StepWakeUp(StepKey(ID, 2), NOW), f"(step=2, execution={ID})"),
        (TimerWakeUp(TimerKey(ID, 3), NOW), f"(timer=3, execution={ID})"),
        (
            AttemptWakeUp(AttemptKey(ID, 2, 1, 4), "email", NOW),
            f"(step=2, target=1, attempt=4, execution={ID})",
        ),
        (LetterWakeUp(ID, NOW), f"(letter={ID})"),
        (HeartbeatWakeUp(HeartbeatKey(ID, 7), NOW), f"(look=7, heartbeat={ID})"),
    ],
    ids=["step", "timer", "attempt", "letter", "heartbeat"],
)
def test_each_part_of_the_key_is_named(wake_up: WakeUp, read: str) -> None:
    task, args, *_ = astuple(_message(wake_up, NOW, bulk=False))
    assert readable(task, args) == read


def test_every_wake_up_has_names_for_its_parts() -> None:
    tasks = {
        said for said in vars(dispatch).values() if isinstance(said, str) and said.startswith("alertops.")
    }
    assert tasks - {dispatch.__name__, dispatch.__package__} == set(PARTS)


def test_what_has_no_names_is_shown_as_it_is() -> None:
    assert readable("alertops.canary", ()) == "()"
