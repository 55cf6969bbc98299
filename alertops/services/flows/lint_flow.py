"""Warnings about a flow: what is odd about it by itself, and whom it would not reach if it ran now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.escalation.flow import Flow
from alertops.escalation.lint import Warn, lint
from alertops.escalation.plan import Course, plan
from alertops.services.recipients import resolve_recipient
from alertops.services.resolution import SENTENCES

SEVERITY = "critical"


def lint_flow(session: Session, team_id: UUID, flow: Flow, *, confirmed_only: bool = False) -> list[Warn]:
    """All warnings, those of the flow first, then those about the people whom the team has today."""
    now = database_now(session)
    return [*lint(flow), *_reaching(session, team_id, flow, now, confirmed_only=confirmed_only)]


def _reaching(
    session: Session, team_id: UUID, flow: Flow, now: datetime, *, confirmed_only: bool
) -> Iterator[Warn]:
    """For each node, as if the alert had come now: nobody, or somebody who is left out."""
    due = {step.node_index: step.due_at for step in reversed(list(plan(flow, Course(now))))}
    told: list[frozenset[tuple[str, str]]] = []
    for index, node in enumerate(flow.nodes):
        resolved = resolve_recipient(
            session,
            team_id,
            node.recipient,
            at=due[index],
            severity=SEVERITY,
            confirmed_only=confirmed_only,
        )
        told.append(frozenset(target.identity for target in resolved.targets))
        for pointer, reasons in resolved.nobody().items():
            because = "; ".join(sorted(SENTENCES[why] for why in reasons))
            yield Warn(f"/nodes/{index}{pointer}", "reaches_nobody", f"It reaches nobody today: {because}.")
    if _only_one(told) and not any(warn.code == "always_the_same" for warn in lint(flow)):
        detail = "Every node reaches the same address today: nobody is escalated to."
        yield Warn("/nodes", "always_the_same", detail)


def _only_one(told: list[frozenset[tuple[str, str]]]) -> bool:
    return len(told) > 1 and bool(told[0]) and len(set(told)) == 1
