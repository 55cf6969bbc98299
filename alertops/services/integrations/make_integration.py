"""A team opens a way in for a monitoring system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import Integration
from alertops.secret_box import SecretBox
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.integrations.integration_faults import require_possible
from alertops.services.integrations.integration_key import IntegrationKey
from alertops.services.teams.locked_team import locked_team

MAX_INTEGRATIONS = 100


@dataclass(frozen=True)
class MadeIntegration:
    """An integration and the text of its key, which is nowhere else and cannot be shown again."""

    integration: Integration
    key: str


def make_integration(
    session: Session,
    asking: Asking,
    team_id: UUID,
    box: SecretBox,
    *,
    kind: str,
    name: str,
    flow_id: UUID,
    **more: Any,
) -> MadeIntegration:
    """Make it and commit; `more` are its `rules`, its `mapping`, and the `secret` that signs what it sends.

    Raises `InvalidInputError` where it cannot be so, and `ConflictError` when the team has as many as it may.
    """
    key = IntegrationKey.new()
    with locked_team(session, asking, team_id):
        require_possible(session, team_id, kind, {"flow_id": flow_id, **more})
        _require_room(session, team_id)
        made = Integration(
            team_id=team_id,
            kind=kind,
            name=name,
            flow_id=flow_id,
            rules=stored_rules(more.get("rules", [])),
            mapping=more.get("mapping"),
            sealed=sealed_secret(box, more.get("secret")),
            prefix=key.prefix,
            hash=key.hash,
            created_by=asking.actor.id,
        )
        session.add(made)
        session.flush()
        session.refresh(made)
        audit(session, team_id, asking.actor, "integration.made", made.id, after=told_of(made))
    return MadeIntegration(made, key.text)


def stored_rules(rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rules as they are kept: plain JSON."""
    return [{"when": dict(rule["when"]), "flow_id": str(rule["flow_id"])} for rule in rules]


def sealed_secret(box: SecretBox, secret: str | None) -> str | None:
    """The secret as it is kept; None for none."""
    return None if secret is None else box.seal(secret)


def told_of(integration: Integration) -> dict[str, Any]:
    """What the audit log says of it."""
    return {
        "kind": integration.kind,
        "name": integration.name,
        "flow_id": str(integration.flow_id),
        "rules": integration.rules,
        "mapping": integration.mapping,
        "signed": integration.signed,
    }


def _require_room(session: Session, team_id: UUID) -> None:
    """Under the team's lock, so that of two who make the last one at once, one does."""
    live = (Integration.team_id == team_id) & Integration.revoked_at.is_(None)
    count = session.scalar(select(func.count()).select_from(Integration).where(live)) or 0
    if count >= MAX_INTEGRATIONS:
        raise ConflictError(
            f"The team has {count} integrations, and may not have more: revoke one that is not needed first.",
            integrations=count,
        )
