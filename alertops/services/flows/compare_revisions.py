"""Two revisions of a flow side by side."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.diff import Diff, diff
from alertops.models import FlowRevision
from alertops.services.access.actor import Asking
from alertops.services.access.door import find_flow, find_revision
from alertops.services.flows.revisions import definition_of


@dataclass(frozen=True)
class Comparison:
    """What leads from one revision to the other."""

    before: FlowRevision
    after: FlowRevision
    diff: Diff


def compare_revisions(
    session: Session, asking: Asking, flow_id: UUID, before: int, after: int | None
) -> Comparison:
    """Compare two revisions that the actor may see; without a second one, with the newest."""
    flow = find_flow(session, asking, flow_id)
    old = find_revision(session, asking, flow_id, before)
    new = find_revision(session, asking, flow_id, after or flow.revision_number)
    return Comparison(old, new, diff(definition_of(flow, old), definition_of(flow, new)))
