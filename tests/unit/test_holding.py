"""How long a worker holds a wake-up, whatever its clock and the publisher's say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from kombu import Message

from tasks.delay import LONGEST_SECONDS, route
from tasks.holding import HOLD_HEADER, WakeUpRequest

# Its own, since the application of the workers needs a database and a broker to be named.
APP = Celery(set_as_current=False)


@APP.task(name="wake_up")
def wake_up() -> None:
    """What the messages are for."""


def received(**headers: Any) -> WakeUpRequest:
    content = {"body": "[[], {}, {}]", "content_type": "application/json"}
    message = Message(**content, headers={"id": "1", "task": "wake_up", **headers})
    return WakeUpRequest(message, task=wake_up, app=APP)


def held(eta_in: float, **headers: Any) -> float:
    """For how many seconds a message with this ETA is held."""
    began = datetime.now(UTC)
    eta = (began + timedelta(seconds=eta_in)).isoformat()
    request = received(eta=eta, **headers)
    assert request.eta is not None
    return (request.eta - began).total_seconds()


def test_eta_decides_when_clocks_agree() -> None:
    assert held(0.3, **{HOLD_HEADER: 0.7}) == pytest.approx(0.3, abs=0.001)
    assert held(-5, **{HOLD_HEADER: 0.7}) == pytest.approx(-5, abs=0.001)


def test_clock_that_is_behind_holds_for_the_fraction() -> None:
    assert held(180, **{HOLD_HEADER: 0.7}) == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("asked", [None, 3600, -1, "soon"])
def test_nothing_is_held_for_longer_than_a_second(asked: object) -> None:
    assert held(180, **{HOLD_HEADER: asked}) == pytest.approx(1.0, abs=0.05)


def test_wake_up_without_eta_is_not_held() -> None:
    assert received().eta is None


@pytest.mark.parametrize(
    ("delay", "hold"), [(0.25, 0.25), (1.0, 0.0), (5.75, 0.75), (LONGEST_SECONDS + 100.5, 0.5)]
)
def test_what_the_broker_does_not_wait_is_held(delay: float, hold: float) -> None:
    assert route("fire", delay).hold_seconds == hold
