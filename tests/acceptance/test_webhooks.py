"""Webhooks on a fleet of real processes: a machine is told, and one that hangs makes nobody else wait."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from alertops.services.deliveries.host_places import PLACES
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses
from tests.acceptance.alerts import ON_TIME, Alert, Alerts, measured, node, until
from tests.integration.raw_http import TAKEN, RawReceiver, raw_receiver, silence

pytestmark = pytest.mark.acceptance

# As many as a worker has threads, so that not one is left for anybody else.
THREADS = 16
# Of a send's time, the half in which a receiver may hang; who had to wait for one would be seconds late.
HALF = 6.0


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    return {
        "ALERTOPS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ALERTOPS_SEND_DEADLINE_SECONDS": str(2 * HALF),
    }


@pytest.fixture(scope="module")
def fleet(
    addresses: Addresses,
    sink: SmtpSink,
    fleet_settings: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    """One host, with a worker that posts webhooks."""
    fleet = Fleet(
        tmp_path_factory.mktemp("fleet"),
        addresses,
        smtp_port=sink.port,
        hosts=("a",),
        extra=fleet_settings,
        webhooks=True,
    )
    needed = [*fleet.workers, fleet.api]
    try:
        for service in needed:
            service.start()
        for service in needed:
            service.wait_ready()
        yield fleet
    finally:
        # What hangs is not waited for.
        fleet.kill()


def machine(receiver: RawReceiver, **more: Any) -> dict[str, Any]:
    return node(
        "machine", 0, attempts=2, recipient={"type": "webhook", "url": receiver.url("/alerts")}, **more
    )


def test_a_machine_that_did_not_answer_is_told_again_under_the_same_id(alerts: Alerts) -> None:
    with raw_receiver(silence, TAKEN) as receiver:
        alert = alerts.raise_with(machine(receiver), node("after@example.org", 600))
        until(lambda: [a.status for a in alert.attempts] == ["unknown", "delivered"], within=20)
    bodies = [json.loads(request.body) for request in receiver.requests]
    assert [(body["execution"], body["may_repeat"]) for body in bodies] == [
        (str(alert.id), False),
        (str(alert.id), True),
    ]
    assert {request.headers["webhook-id"] for request in receiver.requests} == {f"{alert.id}.1.1"}


def test_a_subscriber_that_hangs_delays_neither_alerts_nor_another_subscriber(alerts: Alerts) -> None:
    with (
        raw_receiver(silence, host="127.0.0.2") as hangs,
        raw_receiver(TAKEN) as well,
        raw_receiver(TAKEN) as paged,
    ):
        for receiver in (hangs, well):
            alerts.client.subscribe(alerts.team_id, receiver.url("/events"))
        flow = alerts.flow(node("after@example.org", 600))
        for _ in range(2 * THREADS):
            alerts.raise_(flow)
        until(lambda: hangs.connections >= PLACES, within=20, what="a hang in every place")
        alert = alerts.raise_with(machine(paged), node("after@example.org", 600))
        expected = ["started", "step_fired", "attempt_delivered"]
        took = until(lambda: _events(well, alert) == expected, within=20, what="all events of the alert")
        until(lambda: [a.status for a in alert.attempts] == ["delivered"], within=10)
        assert _events(hangs, alert) in ([], ["started"])
    [attempt] = alert.attempts
    assert attempt.finished_at is not None
    late = attempt.finished_at - attempt.due_at
    measured(
        f"while a subscriber hung, an alert was posted {late.total_seconds():.2f} s after it was due, and"
        f" another subscriber had been told all of it {took:.2f} s after it came"
    )
    assert late < ON_TIME


def test_a_chat_that_hangs_leaves_webhooks_on_time_and_another_chat_is_told_as_soon_as_it_can(
    alerts: Alerts,
) -> None:
    with (
        raw_receiver(silence, host="127.0.0.3") as hangs,
        raw_receiver(TAKEN) as chat,
        raw_receiver(TAKEN) as paged,
    ):
        flow = alerts.flow(room(alerts, hangs, "Hangs"), node("after@example.org", 600))
        hung = [alerts.raise_(flow) for _ in range(2 * THREADS)]
        until(lambda: hangs.connections >= THREADS // 4, within=20, what="a hang in every place")
        alert = alerts.raise_with(machine(paged), node("after@example.org", 600))
        until(lambda: [a.status for a in alert.attempts] == ["delivered"], within=10)
        assert hangs.connections < THREADS
        for each in hung:
            each.acknowledge()
        told = alerts.raise_with(room(alerts, chat, "Chat"), node("after@example.org", 600))
        until(lambda: [a.status for a in told.attempts] == ["delivered"], within=30)
    [request] = chat.requests
    assert request.line == "POST /hooks/3ccdd113474722377935511fc85d3dd4 HTTP/1.1"
    assert f"Message: {told.id}.1.1" in json.loads(request.body)["text"]
    [attempt] = alert.attempts
    assert attempt.finished_at is not None
    late = attempt.finished_at - attempt.due_at
    measured(f"while a chat hung, a webhook was posted {late.total_seconds():.2f} s after it was due")
    assert late < ON_TIME


def room(alerts: Alerts, receiver: RawReceiver, name: str) -> dict[str, Any]:
    url = f"mmost://{receiver.host}:{receiver.port}/3ccdd113474722377935511fc85d3dd4"
    destination = alerts.client.keep_destination(alerts.team_id, name, url)
    return node(name, 0, attempts=1, recipient={"type": "destination", "destination_id": destination})


def _events(receiver: RawReceiver, alert: Alert) -> list[str]:
    """What the receiver was told of this alert."""
    data = [json.loads(request.body)["data"] for request in list(receiver.requests)]
    return [one["event"] for one in data if one["execution_id"] == str(alert.id)]


def test_machines_that_hang_delay_neither_mail_nor_firing(alerts: Alerts) -> None:
    with raw_receiver(silence) as receiver:
        flow = alerts.flow(machine(receiver), node("after@example.org", 600))
        hung = [alerts.raise_(flow) for _ in range(2 * THREADS)]
        until(lambda: receiver.connections >= THREADS, within=20, what="a hang in every thread")
        mailed = [
            alerts.raise_with(node(f"first-{i}@example.org", 0), node(f"second-{i}@example.org", 1))
            for i in range(4)
        ]
        for alert in mailed:
            alert.await_delivered(2, within=10)
        # All the while there was more that hangs than threads to hang in.
        assert sum(attempt.finished_at is None for alert in hung for attempt in alert.attempts) >= THREADS
    attempts = [attempt for alert in mailed for attempt in alert.attempts]
    late = max(attempt.finished_at - attempt.due_at for attempt in attempts if attempt.finished_at)
    measured(f"while {THREADS} webhooks hung, mails were delivered at most {late.total_seconds():.2f} s late")
    assert late < ON_TIME
    alerts.verify(of=mailed, at_least=8)
