"""Traces: what everybody works out alike, who decides what is recorded, and what it costs when it is off."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from alertops import tracing
from alertops.errors import BrokerUnavailableError
from alertops.escalation.decision import Reason
from alertops.services.dispatch import FIRE_STEP, SEND_ATTEMPT, SEND_LETTER, Message
from alertops.services.keys import TimerKey
from alertops.tracing import Told
from alertops.tracing.ids import fire_span, request_span, start_span, trace_of
from alertops.tracing.publisher import TellingPublisher, telling
from alertops.tracing.sdk import OpenTelemetrySpans
from alertops.tracing.woken import timing
from tests.unit.test_config import ENOUGH, load, problems_of

EXECUTION = UUID("1b4e28ba-2fa1-41d2-883f-0016d3cca427")


@pytest.fixture
def collected() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.tell_to(OpenTelemetrySpans("tests", SimpleSpanProcessor(exporter)))
    yield exporter
    tracing.tell_to(None)


def by_name(collected: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in collected.get_finished_spans()}


def test_the_trace_of_an_execution_is_its_id_with_the_second_half_first() -> None:
    assert f"{trace_of(EXECUTION):032x}" == "883f0016d3cca427" + "1b4e28ba2fa141d2"


def test_no_two_spans_that_are_known_by_their_keys_have_one_id() -> None:
    ids = [
        known
        for execution in (EXECUTION, uuid4())
        for known in (
            request_span(execution),
            start_span(execution),
            *(fire_span(execution, step) for step in range(1, 50)),
        )
    ]
    assert len(set(ids)) == len(ids)
    assert all(0 < known < 2**64 for known in ids)


def test_a_span_is_where_it_was_told_to_be(collected: InMemorySpanExporter) -> None:
    tracing.tell(Told("root", 5, 9, EXECUTION, id=request_span(EXECUTION)))
    tracing.tell(Told("below", 6, 8, EXECUTION, request_span(EXECUTION), failed="OSError"))
    with tracing.under(EXECUTION, start_span(EXECUTION), "open", kind="client") as span:
        span.note(step=3)
        with tracing.inside("deeper"):
            pass
    spans = by_name(collected)
    assert {span.context.trace_id for span in spans.values()} == {trace_of(EXECUTION)}
    assert spans["root"].parent is None
    assert spans["root"].context.span_id == request_span(EXECUTION)
    assert (spans["root"].start_time, spans["root"].end_time) == (5, 9)
    assert spans["below"].parent.span_id == request_span(EXECUTION)
    assert spans["below"].attributes["error.type"] == "OSError"
    assert spans["open"].parent.span_id == start_span(EXECUTION)
    assert spans["open"].attributes == {"alertops.step": 3}
    assert spans["deeper"].parent.span_id == spans["open"].context.span_id


def test_an_exception_is_told_by_its_kind_and_not_in_its_words(collected: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.inside("breaks"):
        raise ValueError("somebody@example.org has the secret")
    (span,) = collected.get_finished_spans()
    assert span.attributes == {"error.type": "ValueError"}
    assert span.status.description == "ValueError"
    assert list(span.events) == []


def test_who_asked_is_linked_to_and_does_not_take_the_trace_over(collected: InMemorySpanExporter) -> None:
    theirs = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    tracing.tell(Told("ours", 1, 2, EXECUTION, cause=theirs))
    tracing.tell(Told("theirs", 1, 2, cause=theirs))
    tracing.tell(Told("nonsense", 1, 2, EXECUTION, cause={"traceparent": "00-zz"}))
    spans = by_name(collected)
    assert [link.context.trace_id for link in spans["ours"].links] == [0x0AF7651916CD43DD8448EB211C80319C]
    assert spans["theirs"].context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert list(spans["nonsense"].links) == []


@pytest.mark.parametrize("sampler", ["traceidratio", "parentbased_traceidratio"])
def test_an_execution_is_recorded_by_all_processes_or_by_none(
    sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    exporter, recorded = InMemorySpanExporter(), 0
    # Each of them knows nothing of what the others did.
    processes = [OpenTelemetrySpans(name, SimpleSpanProcessor(exporter)) for name in ("api", "fire", "send")]
    api, fire, send = processes
    for _ in range(400):
        id_ = uuid4()
        api.tell(Told("request", 1, 2, id_, id=request_span(id_)))
        fire.tell(Told("fire", 1, 2, id_, start_span(id_), fire_span(id_, 1)))
        with send.under(id_, fire_span(id_, 1), "send", "consumer", {}), send.inside("open", "client", {}):
            pass
        assert len(exporter.get_finished_spans()) in (0, 4)
        recorded += bool(exporter.get_finished_spans())
        exporter.clear()
    # A quarter of 400, give or take six deviations.
    assert 50 < recorded < 150


def test_a_timer_is_told_below_the_start(collected: InMemorySpanExporter) -> None:
    with timing(TimerKey(EXECUTION, 2)) as woken:
        woken.reason = Reason.DUE
    (span,) = collected.get_finished_spans()
    assert (span.name, span.parent.span_id) == ("fire_timer", start_span(EXECUTION))
    assert (span.attributes["alertops.timer"], span.attributes["alertops.reason"]) == (2, "due")


class Publisher:
    """A broker that takes all, but for one kind of message, or does not answer."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down

    def publish(self, messages: list[Message]) -> list[bool]:
        if self.down:
            raise BrokerUnavailableError("connection refused")
        return [message.task != SEND_ATTEMPT for message in messages]


MESSAGES = [
    Message(FIRE_STEP, (str(EXECUTION), 2), "fire", 60.0),
    Message(SEND_ATTEMPT, (str(EXECUTION), 1, 1, 3), "send.email", 0.0),
    Message(SEND_LETTER, (str(uuid4()),), "send.letters", 0.0),
]


def test_a_wake_up_is_told_below_what_it_follows_from(collected: InMemorySpanExporter) -> None:
    assert TellingPublisher(Publisher()).publish(MESSAGES) == [True, False, True]
    step, attempt = collected.get_finished_spans()
    assert step.parent.span_id == start_span(EXECUTION)
    assert step.attributes["alertops.delay_seconds"] == 60.0
    assert attempt.parent.span_id == fire_span(EXECUTION, 1)
    assert (attempt.attributes["alertops.target"], attempt.attributes["alertops.attempt"]) == (1, 3)
    assert [span.attributes["alertops.confirmed"] for span in (step, attempt)] == [True, False]
    assert attempt.attributes["error.type"] == "unconfirmed"


def test_a_broker_that_does_not_answer_is_told_and_raised(collected: InMemorySpanExporter) -> None:
    with pytest.raises(BrokerUnavailableError):
        TellingPublisher(Publisher(down=True)).publish(MESSAGES)
    failed = {span.attributes["error.type"] for span in collected.get_finished_spans()}
    assert failed == {"BrokerUnavailableError"}


def test_who_does_not_trace_publishes_and_speaks_without_anything_in_between() -> None:
    publisher = Publisher()
    assert telling(publisher) is publisher
    assert not tracing.is_on()
    assert tracing.clock() == 0
    assert tracing.inside("claim") is tracing.inside("record")


def test_it_is_off_unless_it_is_asked_for() -> None:
    assert load().tracing is False
    assert load(ALERTOPS_TRACING="yes").tracing is True


def test_who_asks_for_it_without_the_packages_is_told_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.config.find_spec", lambda _: None)
    (problem,) = problems_of(ENOUGH | {"ALERTOPS_TRACING": "yes"})
    assert problem.startswith("ALERTOPS_TRACING=yes needs packages")
    assert "alertops[tracing]" in problem
    assert load().tracing is False
