"""What the routes that change a flow have in common: who edits, and how the flow is told afterwards."""

from __future__ import annotations

from flask import current_app, url_for

from alertops.models import Flow
from alertops.services.flows.lock_flow import Editor, version_of
from alertops.services.invitations.confirm_outsider import ask_new_outsiders
from api.asking import actor
from api.extensions import dispatcher, limits, session
from api.preconditions import etag, versions_seen

Answer = tuple[Flow, int, dict[str, str]]


def editor() -> Editor:
    """The caller, and the versions that their request says they have seen."""
    return Editor(actor(), versions_seen())


def ask_those_outside(flow: Flow) -> None:
    """Where the operator wants that, ask addresses that are new in the flow whether they may be alerted."""
    if current_app.config["CONFIRM_OUTSIDERS"]:
        recipients = [node.recipient for node in flow.nodes]
        ask_new_outsiders(session(), dispatcher(), limits(), flow.team_id, recipients)


def edited(flow: Flow, status: int = 200) -> Answer:
    """The flow as it is after the edit, whatever the route's own address is."""
    ask_those_outside(flow)
    where = {"Content-Location": url_for("flows.show", flow_id=flow.id)}
    return flow, status, {**where, **etag_of(flow)}


def etag_of(flow: Flow) -> dict[str, str]:
    """The header that names this version."""
    return {"ETag": etag(version_of(flow))}
