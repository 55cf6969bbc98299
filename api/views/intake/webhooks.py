"""Webhooks: the key is in the path, or comes as bearer token; the body is what its kind of sender sends."""

from __future__ import annotations

from typing import Any

from flask import request

from alertops.intake.cloudevents import BATCH, STRUCTURED, read_request
from alertops.intake.document import read_document
from alertops.intake.event import Source
from alertops.intake.read import read_events
from alertops.services.intake.receive_events import Received
from api.schemas.intake import ReceivedSchema
from api.views.intake.door import OPEN, Door, bearer_key, body, come_in, receive, require_signature

blueprint = Door(
    "webhooks", __name__, url_prefix="/integrations", description="Webhooks of monitoring systems"
)

_ANY: dict[str, Any] = {"schema": {}}
_SENT = {**OPEN, "requestBody": {"required": True, "content": {"application/json": _ANY}}}
_CLOUD_EVENT = {
    **OPEN,
    "requestBody": {"required": True, "content": {STRUCTURED: _ANY, BATCH: _ANY, "application/json": _ANY}},
}
Answer = dict[str, list[Received]]


def _read(kind: Source, key: str | None) -> Answer:
    way_in = come_in(bearer_key() if key is None else key, kind)
    events = read_events(kind, read_document(body()), way_in.mapping)
    return {"events": receive(way_in, events)}


@blueprint.post("/alertmanager")
@blueprint.post("/alertmanager/<key>")
@blueprint.doc(**_SENT)
@blueprint.response(202, ReceivedSchema)
def alertmanager(key: str | None = None) -> Answer:
    """Take a notification of Prometheus Alertmanager: version 4 of its webhook."""
    return _read(Source.ALERTMANAGER, key)


@blueprint.post("/grafana")
@blueprint.put("/grafana")
@blueprint.post("/grafana/<key>")
@blueprint.put("/grafana/<key>")
@blueprint.doc(**_SENT)
@blueprint.response(202, ReceivedSchema)
def grafana(key: str | None = None) -> Answer:
    """Take a notification of a Grafana contact point; where there is a secret, one that is signed with it."""
    way_in = come_in(bearer_key() if key is None else key, Source.GRAFANA)
    raw = body()
    require_signature(way_in, raw)
    return {"events": receive(way_in, read_events(Source.GRAFANA, read_document(raw)))}


@blueprint.post("/generic")
@blueprint.post("/generic/<key>")
@blueprint.doc(**_SENT)
@blueprint.response(202, ReceivedSchema)
def generic(key: str | None = None) -> Answer:
    """Take any JSON, read as the integration's mapping says."""
    return _read(Source.GENERIC, key)


@blueprint.post("/cloudevents")
@blueprint.post("/cloudevents/<key>")
@blueprint.doc(**_CLOUD_EVENT)
@blueprint.response(202, ReceivedSchema)
def cloudevents(key: str | None = None) -> Answer:
    """Take a CloudEvent, in the body or in headers, or a batch of them."""
    way_in = come_in(bearer_key() if key is None else key, Source.CLOUDEVENTS)
    headers = dict(request.headers.items())
    events = read_request(body(), request.content_type or "", headers, way_in.mapping)
    return {"events": receive(way_in, events)}
