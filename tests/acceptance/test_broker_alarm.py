"""A broker that runs out of disk delivers what it has, and takes nothing from anybody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from deploy.local.stack import PrivateStack
from tests.acceptance.alerts import ON_TIME, Alerts, measured, node

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.usefixtures("whole_fleet")]

REPAIRED_WITHIN = 20
# A publisher gives up after 2 s; the rest is for a busy machine.
ANSWERED_WITHIN = 4.0
ALERTS = 4


@pytest.fixture
def out_of_disk(stack: PrivateStack, whole_fleet: None) -> Iterator[None]:
    stack.rabbitmq.ctl("set_disk_free_limit", "1000000GB")
    yield
    _disk_is_free(stack)


def _disk_is_free(stack: PrivateStack) -> None:
    stack.rabbitmq.ctl("set_disk_free_limit", "50MB")


@pytest.mark.usefixtures("out_of_disk")
def test_alerts_are_taken_during_an_alarm_and_fire_when_it_is_over(
    alerts: Alerts, stack: PrivateStack
) -> None:
    flow = alerts.flow(node("alarm-1@example.org", 0), node("alarm-2@example.org", 1))
    answered = []
    for _ in range(ALERTS):
        began = time.monotonic()
        alerts.raise_(flow)
        answered.append(time.monotonic() - began)
    assert max(answered) < ANSWERED_WITHIN
    assert not any(alert.fired for alert in alerts.raised), "the broker took a wake-up"
    _disk_is_free(stack)
    over = time.monotonic()
    for alert in alerts.raised:
        alert.await_status("exhausted", within=REPAIRED_WITHIN)
    measured(
        f"broker alarm: alerts answered in {min(answered):.1f} to {max(answered):.1f} s; "
        f"all done {time.monotonic() - over:.1f} s after it was over"
    )
    alerts.verify(patience=timedelta(seconds=REPAIRED_WITHIN + ALERTS * ANSWERED_WITHIN), at_least=ALERTS * 2)


def test_what_the_broker_had_before_the_alarm_fires_on_time(alerts: Alerts, stack: PrivateStack) -> None:
    """Workers run what they are given, though the broker takes nothing that they have to tell."""
    waiting = [alerts.raise_with(node(f"before-alarm-{i}@example.org", 6)) for i in range(ALERTS)]
    stack.rabbitmq.ctl("set_disk_free_limit", "1000000GB")
    try:
        assert not any(alert.fired for alert in waiting)
        for alert in waiting:
            alert.await_fired(1, within=10)
    finally:
        _disk_is_free(stack)
    late = max((alert.fired[0].fired_at - alert.steps[0].due_at).total_seconds() for alert in waiting)
    measured(f"broker alarm: steps that waited in the broker fired at most {late * 1000:.0f} ms late")
    assert late < ON_TIME.total_seconds()
    for alert in waiting:
        alert.await_status("exhausted", within=REPAIRED_WITHIN)
