"""What all doors do: read the body within bounds, find out whose key it is, put up the wall, and answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from flask import Response, request

from alertops.db import database_now
from alertops.errors import AuthenticationError, SecretsError, ThrottledError
from alertops.intake.document import UnreadableError
from alertops.intake.event import Event, InvalidEventError, Source
from alertops.intake.signature import SIGNATURE, TIMESTAMP, is_signed
from alertops.services.access.wall import raise_the_wall
from alertops.services.intake.receive_events import Outcome, Received, receive_events
from alertops.services.integrations.authenticate_integration import WayIn, authenticate_integration
from api.blueprints import Blueprint
from api.extensions import alert_limit, dispatcher, secret_box, session
from api.problems import MAX_FAULTS, BodyFault, problem
from api.tracing import opens

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 4 * 1024 * 1024

# What anybody may send; who does not have a key is told so.
OPEN: dict[str, Any] = {"security": []}


class Door(Blueprint):
    """A blueprint of doors: what is wrong with a request is a problem, and too much at once is 503.

    Alertmanager and Grafana, which came from it, take 4xx for the last word, 429 too, and give the alert up.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_error_handler(UnreadableError, _unreadable)
        self.register_error_handler(InvalidEventError, _invalid)
        self.register_error_handler(ThrottledError, _throttled)
        self.register_error_handler(SecretsError, _sealed)


def body(limit: int = MAX_BODY_BYTES) -> bytes:
    """The request's body; 413 when there is more of it."""
    request.max_content_length = limit
    raw = request.get_data()
    # A chunked body is cut at the limit without a word; reading on is what raises 413.
    request.stream.read(1)
    return raw


def bearer_key() -> str:
    """The key that came as bearer token; an empty one if none did."""
    given = request.authorization
    return (given.token or "") if given and given.type == "bearer" else ""


def come_in(key: str, kind: Source) -> WayIn:
    """The way in that the key opens, with the wall of its team up for the rest of the request."""
    way_in = authenticate_integration(session(), key, kind)
    raise_the_wall(session(), way_in.monitor)
    return way_in


def require_signature(way_in: WayIn, raw: bytes) -> None:
    """`AuthenticationError` when the integration has a secret, and this was not signed with it about now."""
    if way_in.sealed is None:
        return
    signature, timestamp = (request.headers.get(name) for name in (SIGNATURE, TIMESTAMP))
    secret, now = secret_box().open(way_in.sealed), database_now(session())
    if not is_signed(raw, secret, signature, timestamp, now):
        raise AuthenticationError("The signature is not valid here, or not any more.")


def receive(way_in: WayIn, events: Sequence[Event]) -> list[Received]:
    """All of the events, committed."""
    received = receive_events(session(), dispatcher(), way_in, events, alert_limit())
    opens(*(id_ for one in received if one.outcome is Outcome.OPENED for id_ in one.execution_ids))
    return received


def _unreadable(error: UnreadableError) -> Response:
    return problem(400, str(error))


def _invalid(error: InvalidEventError) -> Response:
    faults = [BodyFault(pointer, sentence) for pointer, sentence in error.faults[:MAX_FAULTS]]
    return problem(422, "This is no event as this integration takes them; see errors.", faults=faults)


def _sealed(error: SecretsError) -> Response:
    log.error("secret_not_opened", error=str(error))
    return problem(503, "What this is signed with cannot be looked at now.", headers={"Retry-After": "60"})


def _throttled(error: ThrottledError) -> Response:
    return problem(503, str(error), headers={"Retry-After": str(error.retry_after)})
