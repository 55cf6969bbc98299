"""What an integration cannot be: with flows of other teams, rules about nothing, a mapping that is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.errors import InvalidInputError
from alertops.intake.event import Source
from alertops.intake.mapping import faults_of
from alertops.intake.routing import is_field
from alertops.models import Flow

# What others send has their shape; these have the sender's.
MAPPED = (Source.GENERIC, Source.CLOUDEVENTS)

Faults = Iterator[tuple[str, str]]


def require_possible(session: Session, team_id: UUID, kind: str, wanted: Mapping[str, Any]) -> None:
    """Raise `InvalidInputError` for all that is wrong with what an integration of this kind is to be."""
    rules: Sequence[Mapping[str, Any]] = wanted.get("rules", [])
    named = [("/flow_id", wanted["flow_id"])] if "flow_id" in wanted else []
    named += [(f"/rules/{place}/flow_id", rule["flow_id"]) for place, rule in enumerate(rules)]
    faults = [
        *_flow_faults(session, team_id, named),
        *_rule_faults(rules),
        *_mapping_faults(kind, wanted.get("mapping")),
        *_secret_faults(kind, wanted.get("secret")),
    ]
    if faults:
        raise InvalidInputError(*faults[0], *faults[1:])


def _flow_faults(session: Session, team_id: UUID, named: Sequence[tuple[str, UUID]]) -> Faults:
    wanted = {flow_id for _, flow_id in named}
    query = select(Flow.id, Flow.archived_at.is_not(None)).where(Flow.team_id == team_id, Flow.id.in_(wanted))
    # Who archives one of them waits for us, and finds the integration (services/flows/archive_flow.py).
    query = query.order_by(Flow.id).with_for_update(read=True, key_share=True)
    archived = dict(session.execute(query).all())
    for pointer, flow_id in named:
        if flow_id not in archived:
            yield pointer, "There is no such flow in this team."
        elif archived[flow_id]:
            yield pointer, "This flow is archived; it starts nothing."


def _rule_faults(rules: Sequence[Mapping[str, Any]]) -> Faults:
    for place, rule in enumerate(rules):
        for name in rule["when"]:
            if not is_field(name):
                known = "severity, summary, dedup_key, labels.<name>, details.<path>"
                yield f"/rules/{place}/when", f"{name!r} is no field; what is: {known}."


def _secret_faults(kind: str, secret: str | None) -> Faults:
    if secret is not None and kind != Source.GRAFANA:
        yield "/secret", f"What {kind} sends is not signed."


def _mapping_faults(kind: str, mapping: Mapping[str, str] | None) -> Faults:
    if mapping is None:
        return
    if kind not in MAPPED:
        yield "/mapping", f"What {kind} sends has a shape of its own; it takes no mapping."
        return
    for part, expression in mapping.items():
        for fault in faults_of(expression):
            yield f"/mapping/{part}", fault
