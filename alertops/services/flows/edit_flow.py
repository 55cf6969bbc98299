"""A team changes an escalation: the flow's next revision, for the alerts that come from then on.

::

    lock the flow ─▶ archived? no such node? another version? ─▶ edit ─┬─ says the same: leave
                                                                       └─ rows and revision ─▶ commit

What runs keeps the revision that it started with, so an edit touches no execution.

Every function here commits, or raises and changes nothing: `NotFoundError` (the node is gone),
`StaleError` (the editor has seen another version), `ConflictError` (the flow's state does not allow it),
`InvalidInputError`. An edit that leaves the flow as it is makes no revision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy.orm import Session

from alertops import models
from alertops.errors import AlertOpsError, ConflictError, InvalidInputError, NotFoundError
from alertops.escalation import edit as edits
from alertops.escalation.flow import MAX_REVISIONS, Flow, node_from_json
from alertops.services.access.audit import audit
from alertops.services.flows.lock_flow import Editor, lock_flow, require_version
from alertops.services.flows.revisions import newest_definition, write_revision
from alertops.services.recipients import stranger_faults

Edit = Callable[[Flow], Flow]

log = structlog.get_logger(__name__)


def change_flow(session: Session, flow: models.Flow, editor: Editor, changes: Mapping[str, Any]) -> None:
    """Change the name, the description, how often it repeats, or several of them."""
    edit_flow(session, flow, editor, partial(edits.change_flow, changes=changes))


def add_node(
    session: Session,
    flow: models.Flow,
    editor: Editor,
    node: Mapping[str, Any],
    position: int | None = None,
) -> UUID:
    """Add a node at the position, or at the end; return its id. `node` has no id yet."""
    _require_member(session, flow, node)
    node_id = uuid4()
    added = node_from_json({"id": str(node_id), **node})
    edit_flow(session, flow, editor, partial(edits.add_node, node=added, position=position))
    return node_id


def change_node(
    session: Session, flow: models.Flow, editor: Editor, node_id: UUID, changes: Mapping[str, Any]
) -> None:
    """Change what is named of the node; of `retry` too only what is named."""
    _require_member(session, flow, changes)
    edit = partial(edits.change_node, node_id=str(node_id), changes=changes)
    edit_flow(session, flow, editor, edit, of_node=node_id)


def remove_node(session: Session, flow: models.Flow, editor: Editor, node_id: UUID) -> None:
    """Take the node out."""
    edit_flow(session, flow, editor, partial(edits.remove_node, node_id=str(node_id)), of_node=node_id)


def reorder_nodes(session: Session, flow: models.Flow, editor: Editor, node_ids: Sequence[UUID]) -> None:
    """Bring the nodes into this order."""
    edit_flow(session, flow, editor, partial(edits.reorder, node_ids=[str(node_id) for node_id in node_ids]))


def edit_flow(
    session: Session,
    flow: models.Flow,
    editor: Editor,
    edit: Edit,
    *,
    of_node: UUID | None = None,
    audited_as: str = "flow.edited",
) -> None:
    """Do any edit; `of_node` is the node that it is about, if it is about one."""
    try:
        lock_flow(session, flow)
        before = flow.revision_number
        _apply(session, flow, editor, edit, of_node)
        if flow.revision_number != before:
            revisions = {"before": {"revision": before}, "after": {"revision": flow.revision_number}}
            audit(session, flow.team_id, editor.actor, audited_as, flow.id, **revisions)
    except AlertOpsError:
        session.rollback()  # lets the lock go
        raise
    session.commit()
    log.info("flow_edited", flow=str(flow.id), revision=flow.revision_number, by=str(editor.actor.id))


def _apply(session: Session, flow: models.Flow, editor: Editor, edit: Edit, of_node: UUID | None) -> None:
    # In the order of RFC 9110, 13.2.1: what would be refused whatever the version, comes before it.
    if flow.archived_at is not None:
        raise ConflictError("the flow is archived; unarchive it to change it", archived=True)
    before = newest_definition(session, flow)
    if of_node is not None and str(of_node) not in {node.id for node in before.nodes}:
        raise NotFoundError("There is no such node in this flow.")
    require_version(flow, editor)
    after = _edited(edit, before)
    if after == before:
        return
    if flow.revision_number >= MAX_REVISIONS:
        raise ConflictError(
            f"the flow has had {MAX_REVISIONS} revisions, which is as many as are kept; create a new flow",
            revision=flow.revision_number,
        )
    write_revision(session, flow, after, editor.actor.id)


def _edited(edit: Edit, before: Flow) -> Flow:
    try:
        return edit(before)
    except edits.EditError as error:
        if error.faults:
            raise InvalidInputError(*error.faults[0], *error.faults[1:]) from error
        raise ConflictError(str(error), nodes=len(before.nodes)) from error


def _require_member(session: Session, flow: models.Flow, node: Mapping[str, Any]) -> None:
    named = [("/recipient", node["recipient"])] if "recipient" in node else []
    faults = stranger_faults(session, flow.team_id, named)
    if faults:
        raise InvalidInputError(*faults[0], *faults[1:])
