"""A collector of spans, as OpenTelemetry's exporters speak to it over HTTP. Outside the system, so a fake."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from alertops.tracing.ids import trace_of


@dataclass(frozen=True)
class CollectedSpan:
    """A span, and the name of the service that told of it."""

    service: str
    name: str
    trace: int
    id: int
    parent: int
    began: int
    attributes: dict[str, Any]
    linked: list[int]


@dataclass
class Collector:
    """All that was told, and the bytes in which it was."""

    url: str = ""
    spans: list[CollectedSpan] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def of(self, execution: UUID) -> dict[str, CollectedSpan]:
        """Those in the trace of the execution; of two with the same name, the last one that was told."""
        trace = trace_of(execution)
        return {span.name: span for span in list(self.spans) if span.trace == trace}

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_read(service, span) for span in scope.spans]


@contextmanager
def collector() -> Iterator[Collector]:
    """One that listens; `OTEL_EXPORTER_OTLP_ENDPOINT` is its `url`."""
    collected = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collected.take(decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collected.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collected
        finally:
            server.shutdown()
            thread.join()


def _read(service: str, span: Any) -> CollectedSpan:
    return CollectedSpan(
        service,
        span.name,
        *(int.from_bytes(id_) for id_ in (span.trace_id, span.span_id, span.parent_span_id)),
        span.start_time_unix_nano,
        _values(span.attributes),
        [int.from_bytes(link.trace_id) for link in span.links],
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
