"""One log line a request. Never the body, the query or a header: passwords and tokens live there."""

from __future__ import annotations

import re
from time import perf_counter
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

_SAFE_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)

log = structlog.get_logger(__name__)


def init_access_log(app: Flask) -> None:
    """Log each request, and give it an id that every line written meanwhile carries.

    A caller's own `X-Request-Id` is kept, so that its logs and ours can be joined.
    """
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _SAFE_REQUEST_ID.fullmatch(given) else uuid4().hex
    g.began = perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    log.info(
        "request",
        method=request.method,
        # The rule, not the path: bounded in number, and nothing that a caller made up.
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        duration_ms=round((perf_counter() - g.began) * 1000, 1),
    )
    return response
