"""A flow's rows and its next frozen revision, which say the same: they are written together."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops import models
from alertops.db import database_now
from alertops.escalation.flow import Flow, Node, flow_from_json, flow_to_json
from alertops.services.gone_webhooks import forget_gone_of_flow


def newest_definition(session: Session, flow: models.Flow) -> Flow:
    """What the newest revision says."""
    return definition_of(flow, session.get_one(models.FlowRevision, (flow.id, flow.revision_number)))


def definition_of(flow: models.Flow, revision: models.FlowRevision) -> Flow:
    """What the revision says; where it is silent about names, the flow's."""
    return flow_from_json({"name": flow.name, "description": flow.description, **revision.definition})


def write_revision(session: Session, flow: models.Flow, definition: Flow, author_id: UUID) -> None:
    """Make the flow say this from now on, as its next revision. Does not commit."""
    # Not the start of the transaction: it may have waited for the lock, and revisions are told in order.
    now = database_now(session)
    flow.name, flow.description, flow.repeat = definition.name, definition.description, definition.repeat
    flow.ack_timeout_seconds = definition.ack_timeout_seconds
    flow.resolve_after_seconds = definition.resolve_after_seconds
    flow.group_by = list(definition.group_by)
    flow.group_window_seconds = definition.group_window_seconds
    flow.revision_number = (flow.revision_number or 0) + 1
    flow.updated_at = now
    rows = {} if flow.id is None else {row.id: row for row in flow.nodes}
    flow.nodes = [
        _written(rows.get(UUID(node.id)), position, node) for position, node in enumerate(definition.nodes)
    ]
    session.add(flow)
    session.flush()
    forget_gone_of_flow(session, flow.team_id, (node.recipient for node in definition.nodes))
    session.add(
        models.FlowRevision(
            flow_id=flow.id,
            number=flow.revision_number,
            definition=flow_to_json(definition),
            author_id=author_id,
            created_at=now,
        )
    )


def _written(row: models.FlowNode | None, position: int, node: Node) -> models.FlowNode:
    row = row or models.FlowNode(id=UUID(node.id))
    row.position = position
    row.name = node.name
    row.recipient = dict(node.recipient)
    row.delay_seconds = node.delay_seconds
    row.on_failure = node.on_failure
    row.on_unknown = node.on_unknown
    for name, value in vars(node.retry).items():
        setattr(row, name, value)
    return row
