"""A request is told of in the trace of every execution that it opened, whichever way it came in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text
from sqlalchemy.orm import Session

from alertops import tracing
from alertops.tracing.ids import request_span, start_span, trace_of
from alertops.tracing.sdk import OpenTelemetrySpans
from tests.api_environment import api_environment
from tests.integration.api_client import Person, a_flow, person
from tests.integration.collector import collector
from tests.integration.conftest import RecordingPublisher, application
from tests.integration.doors import door

CHECKOUT = Path(__file__).parents[2]
# All that an API process and a worker load, a request from a trace, and whether OpenTelemetry came along.
PROCESS = """
import sys
from api.wsgi import app
import tasks, tasks.resources, tasks.signals
for module in tasks.app.conf.imports:
    __import__(module)
tasks.signals.trace()
tasks.resources.resources()
answer = app.test_client().get(
    "/api/v1/me", headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
)
assert answer.status_code == 401
print(any(name.startswith("opentelemetry") for name in sys.modules))
"""


@pytest.fixture
def collected() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.tell_to(OpenTelemetrySpans("tests", SimpleSpanProcessor(exporter)))
    yield exporter
    tracing.tell_to(None)


@pytest.fixture
def traced(
    collected: InMemorySpanExporter, database_url: str, publisher: RecordingPublisher
) -> Iterator[Flask]:
    app = application(database_url, publisher)
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def ann(traced: Flask) -> Person:
    return person(traced, "ann")


@pytest.fixture
def flow(ann: Person, collected: InMemorySpanExporter) -> str:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = str(ann.make(f"/teams/{team}/flows", a_flow())["id"])
    collected.clear()
    return flow


def assert_rooted(collected: InMemorySpanExporter, execution: UUID, route: str) -> None:
    """Its trace begins with one request, and the start below it."""
    spans = [s for s in collected.get_finished_spans() if s.context.trace_id == trace_of(execution)]
    ids = {span.context.span_id: span for span in spans}
    assert len(ids) == len(spans)
    root, start = ids[request_span(execution)], ids[start_span(execution)]
    assert (root.name, root.parent) == (route, None)
    assert start.parent is not None
    assert start.parent.span_id == root.context.span_id
    assert (root.start_time or 0) <= (start.start_time or 0) <= (start.end_time or 0) <= (root.end_time or 0)


def test_each_alert_of_a_batch_has_a_trace_with_the_request_in_it(
    ann: Person, flow: str, collected: InMemorySpanExporter
) -> None:
    alerts = {"alerts": [{"summary": str(number)} for number in range(3)]}
    opened = ann.make(f"/flows/{flow}/executions/batch", alerts)["results"]
    for one in opened:
        route = "POST /api/v1/flows/<uuid:flow_id>/executions/batch"
        assert_rooted(collected, UUID(one["execution_id"]), route)
    assert len({span.context.trace_id for span in collected.get_finished_spans()}) == 3


def test_alerts_that_come_together_are_told_of_apart(
    ann: Person, flow: str, collected: InMemorySpanExporter
) -> None:
    def start(number: int) -> UUID:
        return UUID(ann.make(f"/flows/{flow}/executions", {"summary": str(number)})["id"])

    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(start, range(24)))
    for execution in opened:
        assert_rooted(collected, execution, "POST /api/v1/flows/<uuid:flow_id>/executions")


def test_an_alert_that_joins_is_in_the_trace_of_who_sent_it(
    ann: Person, flow: str, collected: InMemorySpanExporter
) -> None:
    alert = {"summary": "again", "dedup_key": "disk-7"}
    opened = UUID(ann.make(f"/flows/{flow}/executions", alert)["id"])
    before = len(collected.get_finished_spans())
    assert ann.post(f"/flows/{flow}/executions", alert).status_code == 200
    (joined,) = collected.get_finished_spans()[before:]
    assert joined.context.trace_id != trace_of(opened)


def test_what_a_monitoring_system_sends_is_told_of_without_its_key(
    traced: Flask, collected: InMemorySpanExporter, session: Session
) -> None:
    way_in = door(traced, "generic", mapping=MAPPING)
    collected.clear()
    answer = way_in.send(traced.test_client(), {"what": "Disk is full"})
    assert answer.status_code == 202
    opened: UUID = session.execute(text("SELECT id FROM executions")).scalar_one()
    assert_rooted(collected, opened, "POST /integrations/generic/<key>")
    assert way_in.key not in told(collected)


MAPPING = {"summary": "what"}


def test_a_replay_has_a_trace_of_its_own(ann: Person, flow: str, collected: InMemorySpanExporter) -> None:
    first = ann.make(f"/flows/{flow}/executions", {"summary": "once"})["id"]
    ann.post(f"/executions/{first}/resolve")
    again = ann.make(f"/executions/{first}/replay", {})["id"]
    assert_rooted(collected, UUID(again), "POST /api/v1/executions/<uuid:execution_id>/replay")


def test_what_is_asked_every_few_seconds_is_not_told(traced: Flask, collected: InMemorySpanExporter) -> None:
    client = traced.test_client()
    for path in ("/healthz", "/readyz", "/metrics"):
        client.get(path)
    assert collected.get_finished_spans() == ()
    client.get("/nowhere-with-a-secret")
    (lost,) = collected.get_finished_spans()
    assert lost.name == "GET"
    assert "secret" not in told(collected)


def test_nothing_is_imported_and_nothing_told_unless_it_is_asked_for(database_url: str) -> None:
    with collector() as collected:
        asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url}
        assert run(api_environment(database_url, **asked)) == "False"
        assert collected.spans == []
        assert run(api_environment(database_url, **asked, ALERTOPS_TRACING="yes")) == "True"
        # Before the process ended, it told what it had.
        assert [span.name for span in collected.spans] == ["GET /api/v1/me"]


def run(environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", PROCESS]
    done = subprocess.run(  # noqa: S603
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def told(collected: InMemorySpanExporter) -> str:
    return " ".join(span.to_json() for span in collected.get_finished_spans())
