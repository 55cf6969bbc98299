"""Executions: alerts come in, and people look. What people do about them is in `operations.py`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Execution, TimelineEntry
from alertops.services.access.door import find_execution, find_team, team_to_start_in
from alertops.services.access.permissions import Action
from alertops.services.alerts import Alert, StartRequest
from alertops.services.pages import Page, Place, executions_of, timeline_of
from alertops.services.show_execution import ShownExecution, show_execution
from alertops.services.start_executions import Started, start_executions
from alertops.services.storms.show_alerts import ShownAlerts, show_alerts
from api.asking import actor, asking
from api.blueprints import TeamBlueprint
from api.extensions import alert_limit, batches_at_once, dispatcher, gatherer, session
from api.once import uses_once
from api.schemas.executions import (
    AlertInput,
    AlertPageSchema,
    AlertsInput,
    AllStartedSchema,
    ExecutionPageSchema,
    ExecutionQuery,
    ExecutionSchema,
    ShownExecutionSchema,
    TimelinePageSchema,
    TimelineQuery,
)
from api.tracing import opens

blueprint = TeamBlueprint("executions", __name__, description="Executions: alerts, and what becomes of them")


@blueprint.post("/flows/<uuid:flow_id>/executions")
@blueprint.permits(Action.RAISE_ALERT)
@blueprint.arguments(AlertInput)
@blueprint.response(202, ExecutionSchema, description="Accepted: it is committed, and will escalate.")
@blueprint.alt_response(200, schema=ExecutionSchema, description="It joined one that is open.")
def start(alert: Alert, flow_id: UUID) -> tuple[Execution, int, dict[str, str]]:
    """Raise an alert: run the flow until somebody acknowledges."""
    team_id = team_to_start_in(session(), asking(), flow_id)
    request = StartRequest(flow_id, alert, actor_id=actor().id)
    if uses_once():
        # The key's row is of this session's transaction, so nobody else's alerts are taken along.
        [started] = start_executions(
            session(), dispatcher(), [request], actor().id, team_id=team_id, limit=alert_limit()
        )
    else:
        started = gatherer().start(session(), dispatcher(), team_id, request)
    if started.created:
        opens(started.execution.id)
    location = {"Location": url_for("executions.show", execution_id=started.execution.id)}
    return started.execution, 202 if started.created else 200, location


@blueprint.post("/flows/<uuid:flow_id>/executions/batch")
@blueprint.permits(Action.RAISE_ALERT)
@blueprint.arguments(AlertsInput)
@blueprint.response(202, AllStartedSchema, description="Accepted: all are committed, and will escalate.")
def start_batch(body: dict[str, list[Alert]], flow_id: UUID) -> dict[str, list[Started]]:
    """Raise many alerts: all of them, or none when one is not valid."""
    team_id = team_to_start_in(session(), asking(), flow_id)
    requests = [StartRequest(flow_id, alert) for alert in body["alerts"]]
    with batches_at_once().one_of(team_id):
        started = start_executions(
            session(), dispatcher(), requests, actor().id, team_id=team_id, limit=alert_limit()
        )
    opens(*(one.execution.id for one in started if one.created))
    return {"results": started}


@blueprint.get("/teams/<uuid:team_id>/executions")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(ExecutionQuery, location="query")
@blueprint.response(200, ExecutionPageSchema)
def list_executions(page: dict[str, Any], team_id: UUID) -> Page[Execution, Place]:
    """List a team's executions, newest first."""
    team = find_team(session(), asking(), team_id)
    return executions_of(session(), team.id, **page)


@blueprint.get("/executions/<uuid:execution_id>")
@blueprint.permits(Action.VIEW)
@blueprint.response(200, ShownExecutionSchema)
def show(execution_id: UUID) -> ShownExecution:
    """Show an execution: its steps and attempts so far, and the steps still planned."""
    execution = find_execution(session(), asking(), execution_id)
    return show_execution(session(), execution)


@blueprint.get("/executions/<uuid:execution_id>/alerts")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(TimelineQuery, location="query")
@blueprint.response(200, AlertPageSchema)
def list_alerts(page: dict[str, Any], execution_id: UUID) -> ShownAlerts:
    """List the alerts that are one in this execution, oldest first, and count them."""
    execution = find_execution(session(), asking(), execution_id)
    return show_alerts(session(), execution, **page)


@blueprint.get("/executions/<uuid:execution_id>/timeline")
@blueprint.permits(Action.VIEW)
@blueprint.arguments(TimelineQuery, location="query")
@blueprint.response(200, TimelinePageSchema)
def list_timeline(page: dict[str, Any], execution_id: UUID) -> Page[TimelineEntry, int]:
    """List what happened, oldest first."""
    execution = find_execution(session(), asking(), execution_id)
    return timeline_of(session(), execution.id, **page)
