"""What the routes that change a flow have in common: who edits, and how the flow is told afterwards."""

from __future__ import annotations

from flask import url_for

from alertops.models import Flow
from alertops.services.lock_flow import Editor, version_of
from api.asking import actor
from api.preconditions import etag, versions_seen

Answer = tuple[Flow, int, dict[str, str]]


def editor() -> Editor:
    """The caller, and the versions that their request says they have seen."""
    return Editor(actor(), versions_seen())


def edited(flow: Flow, status: int = 200) -> Answer:
    """The flow as it is after the edit, whatever the route's own address is."""
    where = {"Content-Location": url_for("flows.show", flow_id=flow.id)}
    return flow, status, {**where, **etag_of(flow)}


def etag_of(flow: Flow) -> dict[str, str]:
    """The header that names this version."""
    return {"ETag": etag(version_of(flow))}
