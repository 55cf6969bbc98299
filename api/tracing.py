"""Requests are told of as spans: in the trace of each execution that they opened, or were about.

Whoever asked may be in a trace of their own (`traceparent`), which may belong to anybody. So the trace of an
execution is never theirs: it links to it. A request about no execution is part of theirs, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from flask import Flask, Response, g, request

from alertops import tracing
from alertops.tracing import Told
from alertops.tracing.ids import request_span, start_span

# Asked every few seconds, by machines.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


def init_tracing(app: Flask) -> None:
    """Tell of each request, if this process traces."""
    if tracing.is_on():
        app.before_request(_begin)
        app.after_request(_end)
        app.teardown_request(_leave)


def opens(*executions: UUID) -> None:
    """The running request has opened these."""
    if tracing.is_on():
        g.setdefault("opened", []).extend(executions)


def _begin() -> None:
    g.traced_from = tracing.clock()
    tracing.in_request(True)


def _end(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else ""
    if route not in _QUIET and "traced_from" in g:
        told = Told(
            f"{request.method} {route}".rstrip(),
            g.traced_from,
            tracing.clock(),
            kind="server",
            attributes={
                "http.request.method": request.method,
                "http.route": route,
                "http.response.status_code": response.status_code,
            },
            cause={name.lower(): value for name, value in request.headers.items()},
            failed=str(response.status_code) if response.status_code >= 500 else None,
        )
        for each in _in_their_traces(told, response.status_code):
            tracing.tell(each)
    return response


def _in_their_traces(told: Told, status: int) -> Iterator[Told]:
    opened: list[UUID] = g.get("opened", [])
    about = (request.view_args or {}).get("execution_id")
    for id_ in opened:
        attributes = {**told.attributes, "alertops.execution": str(id_)}
        yield replace(told, execution=id_, id=request_span(id_), attributes=attributes)
    if opened:
        return
    if isinstance(about, UUID) and request.method != "GET" and status < 400:
        attributes = {**told.attributes, "alertops.execution": str(about)}
        yield replace(told, execution=about, parent=start_span(about), attributes=attributes)
    else:
        yield told


def _leave(_: BaseException | None) -> None:
    tracing.in_request(False)
