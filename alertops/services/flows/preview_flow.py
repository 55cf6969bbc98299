"""What a flow would do if an alert came at a time: the pure preview, with the people of the team today."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.flow import Flow, Node
from alertops.escalation.preview import Preview, WhatIf, preview
from alertops.escalation.rows import Target
from alertops.services.recipients import resolve_recipient

SEVERITY = "critical"


def preview_flow(
    session: Session,
    team_id: UUID,
    flow: Flow,
    start: datetime,
    what_if: WhatIf,
    *,
    severity: str = SEVERITY,
    confirmed_only: bool = False,
) -> Preview:
    """Run it in memory. Recipients resolve as the team is now, and as quiet as people are at each time."""

    def resolve(node: Node, at: datetime) -> Sequence[Target]:
        resolved = resolve_recipient(
            session, team_id, node.recipient, at=at, severity=severity, confirmed_only=confirmed_only
        )
        return [
            Target(target.channel, target.name or target.shown, target.after_seconds)
            for target in resolved.targets
        ]

    return preview(flow, start, resolve, what_if)
