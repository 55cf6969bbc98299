"""A flow says again what an earlier revision of it said: as a new revision, so that nothing is forgotten."""

from __future__ import annotations

from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.escalation.flow import Flow
from alertops.models import Flow as FlowRow
from alertops.models import FlowRevision
from alertops.services.flows.edit_flow import edit_flow
from alertops.services.flows.lock_flow import Editor
from alertops.services.flows.revisions import definition_of
from alertops.services.recipients import find_missing, find_strangers


def restore_revision(session: Session, flow: FlowRow, revision: FlowRevision, editor: Editor) -> None:
    """Restore and commit, as an edit does.

    Raises `ConflictError` when that would bring back a node for somebody who has left the team, or for a
    destination that has been deleted.
    """
    restored = definition_of(flow, revision)

    def restore(before: Flow) -> Flow:
        brought_back = [node.recipient for node in restored.nodes if node not in before.nodes]
        if strangers := find_strangers(session, flow.team_id, brought_back):
            raise ConflictError(
                "the revision has nodes for people who are not members of the team any more",
                user_ids=sorted(strangers),
            )
        if missing := find_missing(session, flow.team_id, brought_back):
            raise ConflictError(
                "the revision has nodes for destinations that have been deleted",
                destination_ids=sorted(missing),
            )
        return restored

    edit_flow(session, flow, editor, restore, audited_as="flow.restored")
