"""`Idempotency-Key`: a POST that is sent again is answered as before, and does nothing again."""

from __future__ import annotations

import json
import re
from typing import Any

import structlog
from flask import Response, g, request
from sqlalchemy.exc import SQLAlchemyError

from alertops.errors import SecretsError
from alertops.services.access.once import (
    KeyReusedError,
    KeyTakenError,
    Once,
    UnansweredError,
    do_once,
    find_answer,
    keep_answer,
    once_of,
)
from api.asking import actor
from api.extensions import secret_box, session
from api.problems import problem

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_KEY = 255
# What is longer is not kept; whoever asks again is told that it was done.
MAX_ANSWER = 1024 * 1024

PARAMETER = {
    "in": "header",
    "name": HEADER,
    "description": "Sent again under the same key within a day, it is answered as before, and does nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"},
}

_FORM = re.compile(f"[!-~]{{1,{MAX_KEY}}}", re.ASCII)
_SOON = {"Retry-After": "1"}
_KEPT = ("Content-Type", "Location", "ETag", "Cache-Control")

log = structlog.get_logger(__name__)


def begin_once() -> Response | None:
    """Before the view, once it is known who asks: the answer, if there is one already."""
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None:
        return None
    if not _FORM.fullmatch(key):
        return problem(400, f"{HEADER} must be 1 to {MAX_KEY} printable characters of ASCII, without spaces.")
    once = once_of(actor().id, key, request.full_path.encode() + b"\0" + request.get_data())
    answer = _answered(once)
    if answer is None:
        g.once = once
        do_once(session(), once)
    return answer


def end_once(response: Response) -> Response:
    """After the view: keep the answer to what was done, as well as that can be."""
    once: Once | None = g.pop("once", None)
    if once is None or not once.done or response.is_streamed:
        return response
    body = response.get_data(as_text=True)
    if len(body) <= MAX_ANSWER and response.status_code < 500:
        headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
        kept = json.dumps({"status": response.status_code, "headers": headers, "body": body})
        try:
            keep_answer(session(), once, secret_box().seal(kept))
        except SQLAlchemyError as error:
            session().rollback()
            log.warning("answer_not_kept", error=type(error).__name__)
    return response


def taken(_: KeyTakenError) -> Response:
    """Somebody was faster with the same key: what they were answered, or that they will be."""
    once: Once = g.pop("once")
    session().rollback()
    return _answered(once) or problem(409, "This is being done under the same key.", headers=_SOON)


def uses_once() -> bool:
    """Whether this request is to be done once, in a transaction of its own session."""
    return "once" in g


def _answered(once: Once) -> Response | None:
    try:
        sealed = find_answer(session(), once)
        return None if sealed is None else _again(json.loads(secret_box().open(sealed)))
    except KeyReusedError as error:
        return problem(422, str(error))
    except (UnansweredError, SecretsError) as error:
        detail = str(error) if isinstance(error, UnansweredError) else "This was done; its answer is lost."
        return problem(409, detail, headers=_SOON)


def _again(kept: dict[str, Any]) -> Response:
    return Response(kept["body"], kept["status"], {**kept["headers"], REPLAYED: "true"})
