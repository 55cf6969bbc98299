"""OpenTelemetry, told by its own variables (`OTEL_*`): where spans go, and which of them.

Whether an execution is traced, the sampler decides by the trace's id alone: so all processes decide alike.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)

from alertops.tracing import Attributes, Kind, Told
from alertops.tracing.ids import trace_of

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "client": SpanKind.CLIENT,
}


class _KnownIds(RandomIdGenerator):
    """Gives the next span of this thread the ids that were chosen for it, if any were."""

    def __init__(self) -> None:
        self._next = threading.local()

    @contextmanager
    def chosen(self, trace: int | None, span: int | None) -> Iterator[None]:
        self._next.trace, self._next.span = trace, span
        try:
            yield
        finally:
            self._next.trace = self._next.span = None

    def generate_trace_id(self) -> int:
        return getattr(self._next, "trace", None) or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return getattr(self._next, "span", None) or super().generate_span_id()

    def is_trace_id_random(self) -> bool:
        """Most are, but not those of executions, four bits of which say that it is a UUID."""
        return False


class OpenTelemetrySpans:
    """Tells spans to a provider of OpenTelemetry's SDK."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        self._ids = _KnownIds()
        # What the environment says of this process has the last word, its name too.
        resource = Resource.create({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
        self.provider = TracerProvider(resource=resource, id_generator=self._ids)
        self.provider.add_span_processor(processor)
        self._tracer = self.provider.get_tracer("alertops")

    def records(self, execution: UUID) -> bool:
        decided = self.provider.sampler.should_sample(Context(), trace_of(execution), "")
        return decided.decision is Decision.RECORD_AND_SAMPLE

    def tell(self, told: Told) -> None:
        cause = extract(told.cause)
        if told.execution is None:
            context, links = cause, []
        else:
            context, links = self._context(told.execution, told.parent), _links(cause)
        trace = trace_of(told.execution) if told.execution else None
        with self._ids.chosen(trace, told.id):
            span = self._tracer.start_span(
                told.name,
                context,
                _KINDS[told.kind],
                dict(told.attributes),
                links,
                told.began,
            )
        _mark_failed(span, told.failed)
        span.end(told.ended)

    @contextmanager
    def under(
        self, execution: UUID, parent: int, name: str, kind: Kind, attributes: Attributes
    ) -> Iterator[_Open]:
        with self._open(name, kind, attributes, self._context(execution, parent)) as span:
            yield span

    @contextmanager
    def inside(self, name: str, kind: Kind, attributes: Attributes) -> Iterator[_Open]:
        with self._open(name, kind, attributes, None) as span:
            yield span

    @contextmanager
    def _open(
        self, name: str, kind: Kind, attributes: Attributes, context: Context | None
    ) -> Iterator[_Open]:
        span = self._tracer.start_span(name, context, _KINDS[kind], dict(attributes))
        try:
            # What an exception says may quote a provider, and a provider an address.
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield _Open(span)
        except BaseException as error:
            _mark_failed(span, type(error).__name__)
            raise
        finally:
            span.end()

    def _context(self, execution: UUID, parent: int | None) -> Context:
        """Below a span of another process, which has decided as we do whether the trace is recorded."""
        if parent is None:
            return Context()
        flags = TraceFlags(TraceFlags.SAMPLED if self.records(execution) else TraceFlags.DEFAULT)
        there = SpanContext(trace_of(execution), parent, is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(there), Context())


class _Open:
    """A span that is open."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, **attributes: Any) -> None:
        self._span.set_attributes({f"alertops.{name}": value for name, value in attributes.items()})


def _links(cause: Context) -> list[Link]:
    asked = get_current_span(cause).get_span_context()
    return [Link(asked)] if asked.is_valid else []


def _mark_failed(span: Span, failed: str | None) -> None:
    if failed is not None:
        span.set_attribute("error.type", failed)
        span.set_status(Status(StatusCode.ERROR, failed))


def to_collector(service: str, exporter: SpanExporter | None = None) -> OpenTelemetrySpans:
    """Spans go to the collector that `OTEL_EXPORTER_OTLP_*` name, in batches, by a thread of their own."""
    return OpenTelemetrySpans(service, BatchSpanProcessor(exporter or OTLPSpanExporter()))
