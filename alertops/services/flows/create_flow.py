"""A team describes an escalation: a flow, its nodes, and revision 1, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from alertops.errors import InvalidInputError
from alertops.escalation.flow import flow_from_json
from alertops.models import Flow
from alertops.services.access.actor import Actor
from alertops.services.access.audit import audit
from alertops.services.flows.revisions import write_revision
from alertops.services.recipients import stranger_faults
from alertops.services.teams.locked_team import keep_team


def create_flow(
    session: Session,
    team_id: UUID,
    author: Actor,
    *,
    nodes: Sequence[Mapping[str, Any]],
    **settings: Any,
) -> Flow:
    """Create the flow and commit. All is as in a frozen definition, but the nodes have no ids yet.

    Raises `InvalidInputError` when a recipient is not a member of the team, and `NotFoundError` when the team
    was deleted a moment ago.
    """
    keep_team(session, team_id)
    require_members(session, team_id, nodes)
    definition = flow_from_json(
        {
            **settings,
            "nodes": [{"id": str(uuid4()), **node} for node in nodes],
        }
    )
    flow = Flow(team_id=team_id)
    write_revision(session, flow, definition, author.id)
    audit(session, team_id, author, "flow.created", flow.id, after={"revision": flow.revision_number})
    session.commit()
    return flow


def require_members(session: Session, team_id: UUID, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raise `InvalidInputError` for each node that names a user who is not a member of the team."""
    named = [(f"/nodes/{position}/recipient", node["recipient"]) for position, node in enumerate(nodes)]
    faults = stranger_faults(session, team_id, named)
    if faults:
        raise InvalidInputError(*faults[0], *faults[1:])
