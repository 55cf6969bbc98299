"""What the routes that change a flow have in common: who edits, and how the flow is told afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, url_for

from alertops.escalation.lint import Warn
from alertops.models import Flow
from alertops.services.flows.lint_flow import lint_flow
from alertops.services.flows.lock_flow import Editor, version_of
from alertops.services.flows.revisions import newest_definition
from alertops.services.invitations.confirm_outsider import ask_new_outsiders
from api.asking import actor
from api.extensions import dispatcher, limits, session
from api.preconditions import etag, versions_seen


@dataclass(frozen=True)
class LintedFlow:
    """A flow, and what is odd about it today."""

    flow: Flow
    warnings: list[Warn]


Answer = tuple[LintedFlow, int, dict[str, str]]


def linted(flow: Flow) -> LintedFlow:
    """The flow with its warnings, which stop nobody and are never silent."""
    definition = newest_definition(session(), flow)
    confirmed_only = current_app.config["CONFIRM_OUTSIDERS"]
    return LintedFlow(flow, lint_flow(session(), flow.team_id, definition, confirmed_only=confirmed_only))


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
    return linted(flow), status, {**where, **etag_of(flow)}


def etag_of(flow: Flow) -> dict[str, str]:
    """The header that names this version."""
    return {"ETag": etag(version_of(flow))}
