"""PagerDuty's Events API v2, at its own paths and in its own words: whoever switches changes one URL."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from alertops.errors import AuthenticationError, ConflictError, ThrottledError
from alertops.intake import pagerduty
from alertops.intake.document import UnreadableError, read_document
from alertops.intake.event import InvalidEventError, Source
from alertops.services.intake.record_change import record_change
from alertops.services.integrations.authenticate_integration import WayIn
from api.extensions import session
from api.schemas.intake import AcceptedSchema, ChangeAcceptedSchema, EnqueueSchema, RefusedSchema
from api.views.intake.door import OPEN, Door, body, come_in, receive

HEADER = "X-Routing-Key"

blueprint = Door("pagerduty", __name__, description="PagerDuty's Events API v2")

_SENT: dict[str, Any] = {
    **OPEN,
    "requestBody": {"required": True, "content": {"application/json": {"schema": EnqueueSchema}}},
}
_REFUSALS = {
    400: "It is no event; `errors` says why.",
    413: "More than 512 KB.",
    429: "Too many; `Retry-After` says when to come again.",
}


def _answers(view: Any) -> Any:
    for status, description in _REFUSALS.items():
        view = blueprint.alt_response(status, schema=RefusedSchema, description=description)(view)
    return view


@blueprint.post("/v2/enqueue")
@_answers
@blueprint.doc(**_SENT)
@blueprint.response(202, AcceptedSchema)
def enqueue() -> dict[str, str]:
    """Take an event: trigger, acknowledge or resolve. When this is answered, it is committed."""
    document, way_in = _come_in()
    event = pagerduty.read_event(document)
    receive(way_in, [event])
    return {"status": "success", "message": "Event processed", "dedup_key": event.dedup_key}


@blueprint.post("/v2/change/enqueue")
@_answers
@blueprint.doc(**_SENT)
@blueprint.response(202, ChangeAcceptedSchema)
def enqueue_change() -> dict[str, str]:
    """Record a change. It alerts nobody."""
    document, way_in = _come_in()
    record_change(session(), way_in, pagerduty.read_change(document))
    return {"status": "success", "message": "Change event processed"}


def _come_in() -> tuple[Any, WayIn]:
    document = read_document(body(pagerduty.MAX_BYTES))
    key = pagerduty.routing_key(document, request.headers.get(HEADER))
    return document, come_in(key, Source.PAGERDUTY)


def _invalid(error: InvalidEventError) -> Response:
    return _refused(400, *(sentence for _, sentence in error.faults))


def _unusable(error: Exception) -> Response:
    return _refused(400, str(error))


def _unknown(_: AuthenticationError) -> Response:
    return _refused(400, "'routing_key' is not valid here")


def _too_large(_: RequestEntityTooLarge) -> Response:
    return _refused(413, f"event is larger than {pagerduty.MAX_BYTES} bytes")


def _throttled(error: ThrottledError) -> Response:
    answer = _said(429, "throttle exceeded", str(error))
    answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _refused(status: int, *errors: str) -> Response:
    return _said(status, "invalid event", "Event object is invalid", *errors)


def _said(code: int, status: str, message: str, *errors: str) -> Response:
    answer = jsonify({"status": status, "message": message, "errors": [*errors]})
    answer.status_code = code
    return answer


for _error, _answer in (
    (InvalidEventError, _invalid),
    (UnreadableError, _unusable),
    (ConflictError, _unusable),
    (AuthenticationError, _unknown),
    (RequestEntityTooLarge, _too_large),
    (ThrottledError, _throttled),
):
    blueprint.register_error_handler(_error, _answer)
