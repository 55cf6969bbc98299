"""Pings: a job asks for a URL with its key in it, and that is all that it has to do."""

from __future__ import annotations

from typing import Any

from alertops.errors import AuthenticationError
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.accounts.throttle import take
from alertops.services.heartbeats.ping_heartbeat import ping_heartbeat
from api.client import calling_client
from api.extensions import dispatcher, limits, session
from api.schemas.heartbeats import PingedSchema
from api.views.intake.door import OPEN, Door

# Nobody in between may answer for us, and so keep a ping to themselves.
_HEADERS = {"Cache-Control": "no-store"}

blueprint = Door("pings", __name__, url_prefix="/heartbeats", description="Pings of jobs")

Answer = tuple[dict[str, Any], int, dict[str, str]]


@blueprint.get("/<key>")
@blueprint.doc(**OPEN)
@blueprint.response(200, PingedSchema)
def ping(key: str) -> Answer:
    """Say that the job is well. It is a GET as that is what cron jobs send, by curl and wget."""
    return _ping(key)


@blueprint.post("/<key>")
@blueprint.doc(**OPEN)
@blueprint.response(200, PingedSchema)
def ping_by_post(key: str) -> Answer:
    """Say that the job is well. Whatever the body is, it is not looked at."""
    return _ping(key)


def _ping(key: str) -> Answer:
    try:
        status: HeartbeatStatus = ping_heartbeat(session(), dispatcher(), key)
    except AuthenticationError:
        take(session(), limits().bad_ping(calling_client().address))
        raise
    return {"status": status}, 200, _HEADERS
