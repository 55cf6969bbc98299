"""What people do about an execution. Each is safe to repeat, and told on the timeline with who and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import url_for

from alertops.models import Execution, TimelineEntry
from alertops.services.access.door import find_execution, find_team
from alertops.services.access.permissions import Action
from alertops.services.acknowledge import acknowledge
from alertops.services.add_note import add_note
from alertops.services.answer_many import Filter, ManyAnswered, acknowledge_many, resolve_many
from alertops.services.cancel import cancel
from alertops.services.escalate import escalate
from alertops.services.operate import Answered, By
from alertops.services.reassign import reassign_to_flow, reassign_to_user
from alertops.services.rebase import Rebasing, preview_rebase, rebase
from alertops.services.replay import replay
from alertops.services.resolve import resolve
from alertops.services.snooze import snooze
from alertops.services.unsnooze import unsnooze
from api.asking import actor, asking
from api.blueprints import TeamBlueprint
from api.extensions import dispatcher, session
from api.schemas.executions import ExecutionSchema, TimelineEntrySchema
from api.schemas.operations import (
    AnsweredSchema,
    BulkInput,
    EscalateInput,
    ManyAnsweredSchema,
    NoteInput,
    ReasonInput,
    ReassignInput,
    RebaseInput,
    RebasingSchema,
    ReplayInput,
    SnoozeInput,
    TextInput,
)
from api.tracing import opens

blueprint = TeamBlueprint("operations", __name__, description="Operations: what people do about executions")


def _by(said: dict[str, Any]) -> By:
    return By(actor().id, note=said.get("note") or said.get("reason"))


def _found(execution_id: UUID) -> UUID:
    return find_execution(session(), asking(), execution_id).id


@blueprint.post("/executions/<uuid:execution_id>/acknowledge")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(NoteInput, required=False)
@blueprint.response(200, AnsweredSchema)
def acknowledge_execution(said: dict[str, Any], execution_id: UUID) -> Answered:
    """Take it: nobody else is told. Safe to repeat."""
    return acknowledge(session(), dispatcher(), _found(execution_id), _by(said))


@blueprint.post("/executions/<uuid:execution_id>/resolve")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(NoteInput, required=False)
@blueprint.response(200, AnsweredSchema)
def resolve_execution(said: dict[str, Any], execution_id: UUID) -> Answered:
    """Say that it is over. Safe to repeat."""
    return resolve(session(), dispatcher(), _found(execution_id), _by(said))


@blueprint.post("/executions/<uuid:execution_id>/cancel")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(ReasonInput, required=False)
@blueprint.response(200, AnsweredSchema)
def cancel_execution(said: dict[str, Any], execution_id: UUID) -> Answered:
    """Say that it is not wanted: it ends without having been solved. Safe to repeat."""
    return cancel(session(), dispatcher(), _found(execution_id), _by(said))


@blueprint.post("/executions/<uuid:execution_id>/snooze")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(SnoozeInput)
@blueprint.response(200, AnsweredSchema)
def snooze_execution(said: dict[str, Any], execution_id: UUID) -> Answered:
    """Tell nobody until then; then the node that fired last fires again. Safe to repeat with `until`."""
    until = said["until"] if "until" in said else timedelta(seconds=said["for_seconds"])
    return snooze(session(), dispatcher(), _found(execution_id), until, _by(said))


@blueprint.post("/executions/<uuid:execution_id>/unsnooze")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(ReasonInput, required=False)
@blueprint.response(200, AnsweredSchema)
def unsnooze_execution(said: dict[str, Any], execution_id: UUID) -> Answered:
    """Go on now, with the node that fired last. Safe to repeat."""
    return unsnooze(session(), dispatcher(), _found(execution_id), _by(said))


@blueprint.post("/executions/<uuid:execution_id>/escalate")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(EscalateInput)
@blueprint.response(200, AnsweredSchema)
def escalate_execution(said: dict[str, Any], execution_id: UUID) -> Answered:
    """Fire the step that comes next without waiting. It is named, so that a repeat skips nobody."""
    return escalate(session(), dispatcher(), _found(execution_id), said["step"], _by(said))


@blueprint.post("/executions/<uuid:execution_id>/reassign")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(ReassignInput)
@blueprint.response(200, AnsweredSchema)
def reassign_execution(said: dict[str, Any], execution_id: UUID) -> Answered:
    """Let another flow of the team take it over, or a member. Safe to repeat."""
    id_ = _found(execution_id)
    if "flow_id" in said:
        return reassign_to_flow(session(), dispatcher(), id_, said["flow_id"], _by(said))
    return reassign_to_user(session(), dispatcher(), id_, said["user_id"], _by(said))


@blueprint.post("/executions/<uuid:execution_id>/replay")
@blueprint.permits(Action.RAISE_ALERT)
@blueprint.arguments(ReplayInput, required=False)
@blueprint.response(202, ExecutionSchema, description="Another execution of the same alert.")
@blueprint.alt_response(200, schema=ExecutionSchema, description="A replay of it is open already.")
def replay_execution(said: dict[str, Any], execution_id: UUID) -> tuple[Execution, int, dict[str, str]]:
    """Run the same alert once more, on the flow's current revision or on the original one."""
    original = said["revision"] == "original"
    started = replay(session(), dispatcher(), _found(execution_id), original=original, actor_id=actor().id)
    if started.created:
        opens(started.execution.id)
    location = {"Location": url_for("executions.show", execution_id=started.execution.id)}
    return started.execution, 202 if started.created else 200, location


@blueprint.post("/executions/<uuid:execution_id>/notes")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(TextInput)
@blueprint.response(201, TimelineEntrySchema)
def note(said: dict[str, str], execution_id: UUID) -> TimelineEntry:
    """Write a note for whoever reads the timeline. The same words of the same person are one note."""
    return add_note(session(), _found(execution_id), said["text"], actor().id)


@blueprint.post("/executions/<uuid:execution_id>/rebase")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(RebaseInput, required=False)
@blueprint.response(200, RebasingSchema)
def rebase_execution(said: dict[str, Any], execution_id: UUID) -> Rebasing | Answered:
    """Go on with the flow's newest revision: told first, then done with `apply` for the revision told."""
    id_ = _found(execution_id)
    if not said["apply"]:
        return preview_rebase(session(), id_)
    return rebase(session(), dispatcher(), id_, said["revision"], _by(said))


@blueprint.post("/teams/<uuid:team_id>/executions/acknowledge")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(BulkInput)
@blueprint.response(200, ManyAnsweredSchema)
def acknowledge_all(which: dict[str, Any], team_id: UUID) -> ManyAnswered:
    """Acknowledge all that the filter finds and that can be, up to a hundred at a time. Safe to repeat."""
    return _answer_all(acknowledge_many, which, team_id)


@blueprint.post("/teams/<uuid:team_id>/executions/resolve")
@blueprint.permits(Action.ANSWER)
@blueprint.arguments(BulkInput)
@blueprint.response(200, ManyAnsweredSchema)
def resolve_all(which: dict[str, Any], team_id: UUID) -> ManyAnswered:
    """Resolve all that the filter finds and that can be, up to a hundred at a time. Safe to repeat."""
    return _answer_all(resolve_many, which, team_id)


def _answer_all(answer: Callable[..., ManyAnswered], which: dict[str, Any], team_id: UUID) -> ManyAnswered:
    team = find_team(session(), asking(), team_id)
    by = _by(which)
    which.pop("note", None)
    return answer(session(), dispatcher(), team.id, Filter(**which), by)
