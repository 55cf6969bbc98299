"""The way of an alert in one trace, told by processes that know of each other by the alert's keys alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from deploy.local.client import Client
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import Refuse, SmtpSink
from deploy.local.stack import Addresses
from tests.acceptance.alerts import Alerts, node, until
from tests.figures import scrape
from tests.integration.collector import CollectedSpan, Collector, collector

pytestmark = pytest.mark.acceptance

THEIRS = 0x0AF7651916CD43DD8448EB211C80319C
STARTED = "POST /api/v1/flows/<uuid:flow_id>/executions"
# Each below the one before; and what is below the last, in the order in which it happens.
WAY = (STARTED, "start_execution", "fire_step", "send_attempt")
SEND = ("claim", "open", "mark", "transmit", "record")


@pytest.fixture(scope="module")
def collected() -> Iterator[Collector]:
    with collector() as collected:
        yield collected


@pytest.fixture(scope="module")
def fleet_settings(collected: Collector) -> Mapping[str, str]:
    return {
        "ALERTOPS_TRACING": "yes",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collected.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        # Figures are added up at each tick.
        "ALERTOPS_RECOVERY_TICK_SECONDS": "1",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=tests",
    }


@pytest.fixture(scope="module")
def fleet(
    addresses: Addresses,
    sink: SmtpSink,
    fleet_settings: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    """One host: a process that fires, and one that sends."""
    fleet = Fleet(
        tmp_path_factory.mktemp("fleet"), addresses, smtp_port=sink.port, hosts=("a",), extra=fleet_settings
    )
    needed = [*fleet.workers, fleet.api]
    try:
        for service in needed:
            service.start()
        for service in needed:
            service.wait_ready()
        yield fleet
    finally:
        fleet.kill()


@pytest.fixture(scope="module")
def client(fleet: Fleet) -> Client:
    """Somebody who is in a trace of their own."""
    client = Client(fleet.api_url)
    client.sign_in("Operator", "operator@example.org", "a password of the tests")
    client._http.headers["traceparent"] = f"00-{THEIRS:032x}-b7ad6b7169203331-01"
    return client


def wait_for(collected: Collector, execution: UUID, *names: str) -> dict[str, CollectedSpan]:
    until(lambda: collected.of(execution).keys() >= {*names}, within=20, what=f"{names}")
    return collected.of(execution)


def test_one_trace_leads_from_the_request_across_the_delay_to_the_mail_server(
    alerts: Alerts, collected: Collector
) -> None:
    alert = alerts.raise_with(node("first@example.org", 2), node("second@example.org", 600))
    spans = wait_for(collected, alert.id, STARTED, "record", *SEND, *WAY)
    request, start, fire, send = (spans[name] for name in WAY)
    assert [span.parent for span in (request, start, fire, send)] == [0, request.id, start.id, fire.id]
    assert {spans[name].parent for name in SEND} == {send.id}
    began = [spans[name].began for name in (*WAY, *SEND)]
    assert began == sorted(began)
    assert fire.began - start.began >= 1.9e9
    assert [span.service for span in (request, fire, send)] == [
        "alertops-api",
        "alertops-worker",
        "alertops-worker",
    ]
    assert request.linked == [THEIRS]


def test_spans_say_what_they_are_about_how_late_it_was_and_how_it_ended(
    alerts: Alerts, collected: Collector, sink: SmtpSink
) -> None:
    sink.behave("third@example.org", Refuse(451, times=1))
    alert = alerts.raise_with(node("third@example.org", 0), node("fourth@example.org", 600))
    tried = {1: "failed", 2: "delivered"}

    def sends() -> dict[int, CollectedSpan]:
        return {
            span.attributes["alertops.attempt"]: span
            for span in list(collected.spans)
            if span.name == "send_attempt" and span.attributes["alertops.execution"] == str(alert.id)
        }

    until(lambda: sends().keys() == tried.keys(), within=20)
    fire = wait_for(collected, alert.id, "fire_step")["fire_step"]
    assert fire.attributes["alertops.execution"] == str(alert.id)
    assert (fire.attributes["alertops.step"], fire.attributes["alertops.reason"]) == (1, "due")
    (step, _) = alert.steps
    assert step.fired_at is not None
    late = (step.fired_at - step.due_at).total_seconds()
    assert fire.attributes["alertops.lateness_seconds"] == pytest.approx(late)
    for number, outcome in tried.items():
        said = sends()[number].attributes
        assert (said["alertops.channel"], said["alertops.outcome"]) == ("email", outcome)
        assert said["alertops.lateness_seconds"] >= 0
        assert sends()[number].parent == fire.id
    refused = [span for span in collected.spans if span.attributes.get("error.type") == "ChannelError"]
    assert [(span.name, span.parent) for span in refused] == [("open", sends()[1].id)]
    assert refused[0].attributes["alertops.permanent"] is False


def test_who_answers_is_in_the_trace_and_who_looks_is_not(
    alerts: Alerts, client: Client, collected: Collector
) -> None:
    alert = alerts.raise_with(node("fifth@example.org", 600))
    client.acknowledge(str(alert.id))
    client.execution(str(alert.id))
    answer = "POST /api/v1/executions/<uuid:execution_id>/acknowledge"
    looked = "GET /api/v1/executions/<uuid:execution_id>"
    until(lambda: looked in [span.name for span in list(collected.spans)], within=20)
    spans = wait_for(collected, alert.id, answer, "start_execution")
    assert spans[answer].parent == spans["start_execution"].id
    assert {span.trace for span in collected.spans if span.name == looked} == {THEIRS}


def test_the_figures_count_what_the_traces_show(alerts: Alerts, collected: Collector, fleet: Fleet) -> None:
    alert = alerts.raise_with(node("sixth@example.org", 0), node("seventh@example.org", 600))
    wait_for(collected, alert.id, "record")

    def fired() -> dict[int, float]:
        """By the ids of their spans: how late each was."""
        spans = [span for span in list(collected.spans) if span.name == "fire_step"]
        late = "alertops.lateness_seconds"
        return {span.id: span.attributes[late] for span in spans if late in span.attributes}

    def counted() -> bool:
        figures, late = scrape(fleet.api_url), list(fired().values())
        return (
            figures["alertops_step_lateness_seconds_count"] == len(late) > 0
            and figures["alertops_step_lateness_seconds_sum"] == pytest.approx(sum(late))
            and figures['alertops_step_lateness_seconds_bucket{le="1.0"}'] == sum(s <= 1 for s in late)
            and figures['alertops_attempts_ended_total{channel="email",outcome="delivered"}'] >= len(late)
        )

    until(counted, within=20)


def test_no_address_no_word_of_an_alert_and_no_key_leaves_the_house(
    alerts: Alerts, client: Client, collected: Collector, addresses: Addresses
) -> None:
    # After all that the tests above have told, with their refusals and their tokens.
    assert len(collected.spans) > 30
    sent = b"".join(collected.bodies)
    token = client._http.headers["Authorization"].split()[1]
    password = urlsplit(addresses.database_url).password
    assert password
    for secret in ("example.org", "Disk is full", token, password, "127.0.0.1"):
        assert secret.encode() not in sent
    said = {str(value) for span in collected.spans for value in (span.name, *span.attributes.values())}
    # Nothing that a provider answered, either: it may quote an address.
    assert not [text for text in said if "@" in text or "refused" in text]
