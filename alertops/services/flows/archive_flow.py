"""A flow is put away: it starts nothing more, and what runs finishes. It can be taken out again."""

from __future__ import annotations

import structlog
from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.errors import AlertOpsError, ConflictError
from alertops.models import Flow, Heartbeat, Integration
from alertops.services.access.audit import audit
from alertops.services.flows.lock_flow import Editor, lock_flow, require_version
from alertops.services.teams.locked_team import keep_team

log = structlog.get_logger(__name__)


def archive_flow(session: Session, flow: Flow, editor: Editor) -> None:
    """Archive and commit; once this has returned, no execution of the flow starts."""
    _set_archived(session, flow, editor, archived=True)


def unarchive_flow(session: Session, flow: Flow, editor: Editor) -> None:
    """Take it out of the archive, as it was, and commit."""
    _set_archived(session, flow, editor, archived=False)


def _set_archived(session: Session, flow: Flow, editor: Editor, *, archived: bool) -> None:
    try:
        if not archived:
            keep_team(session, flow.team_id)  # whose deletion archives its flows for good
        lock_flow(session, flow, against_starts=True)
        # Safe to repeat: whose answer was lost has seen a version that it has itself replaced.
        if archived != (flow.archived_at is not None):
            require_version(flow, editor)
            if archived:
                _require_no_way_in(session, flow)
            _change(session, flow, editor, archived)
    except AlertOpsError:
        session.rollback()  # lets the lock go
        raise
    session.commit()
    log.info("flow_archived" if archived else "flow_unarchived", flow=str(flow.id), by=str(editor.actor.id))


def _require_no_way_in(session: Session, flow: Flow) -> None:
    """What comes in by an integration, and a job that falls silent, must find a flow that starts something.

    One that is made at the same moment holds the flow's row, and is seen here.
    """
    integrations = (Integration.flow_id == flow.id) & Integration.revoked_at.is_(None)
    ways_in = union_all(
        select(Integration.name.label("name")).where(integrations),
        select(Heartbeat.name).where(Heartbeat.flow_id == flow.id),
    )
    names = session.scalars(ways_in.order_by("name")).all()
    if names:
        named = ", ".join(names)
        raise ConflictError(
            f"Alerts come in here by {named}: lead them to another flow first.", archived=False
        )


def _change(session: Session, flow: Flow, editor: Editor, archived: bool) -> None:
    before = {"revision": flow.revision_number, "archived": not archived}
    flow.archived_at = database_now(session) if archived else None
    action = "flow.archived" if archived else "flow.unarchived"
    audit(
        session,
        flow.team_id,
        editor.actor,
        action,
        flow.id,
        before=before,
        after={**before, "archived": archived},
    )
