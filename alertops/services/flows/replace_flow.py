"""A flow says something else, whole, from now on: one edit, and one revision, however much is different.

A node that names an id of the flow's is that node; one that names none is new; what is not named is removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from alertops import models
from alertops.errors import InvalidInputError
from alertops.escalation.flow import Flow, Node, flow_from_json
from alertops.services.flows.edit_flow import edit_flow
from alertops.services.flows.lock_flow import Editor
from alertops.services.recipients import stranger_faults

Faults = Iterator[tuple[str, str]]


def replace_flow(session: Session, flow: models.Flow, editor: Editor, definition: Mapping[str, Any]) -> None:
    """Replace the definition and commit, as an edit does. `definition` is whole, but for ids of new nodes.

    Raises `InvalidInputError`, with a pointer for each, for ids that are not of this flow's nodes or are
    named twice, and for recipients who are not in the team. A node that stays as it was may tell somebody who
    has left, or a destination that has been deleted.
    """
    nodes = [{**node, "id": str(node.get("id") or uuid4())} for node in definition["nodes"]]
    named = [node.get("id") for node in definition["nodes"]]
    after = flow_from_json({**definition, "nodes": nodes})

    def replace(before: Flow) -> Flow:
        faults = [*_foreign_ids(before, named), *_strangers(session, flow, before, after)]
        if faults:
            raise InvalidInputError(*faults[0], *faults[1:])
        return after

    edit_flow(session, flow, editor, replace, audited_as="flow.replaced")


def _foreign_ids(before: Flow, named: list[UUID | None]) -> Faults:
    known = {UUID(node.id) for node in before.nodes}
    count = Counter(named)
    for position, node_id in enumerate(named):
        if node_id is None:
            continue
        if node_id not in known:
            yield f"/nodes/{position}/id", f"Unknown: the flow has no node {node_id}."
        elif count[node_id] > 1:
            yield f"/nodes/{position}/id", f"Repeated: {node_id}."


def _strangers(session: Session, flow: models.Flow, before: Flow, after: Flow) -> Faults:
    told: dict[str, Node] = {node.id: node for node in before.nodes}
    for position, node in enumerate(after.nodes):
        stays = node.id in told and told[node.id].recipient == node.recipient
        if not stays:
            named = (f"/nodes/{position}/recipient", node.recipient)
            yield from stranger_faults(session, flow.team_id, [named])
