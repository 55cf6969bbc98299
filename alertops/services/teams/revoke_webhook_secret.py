"""A secret signs nothing any more."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import WebhookSecret
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.teams.locked_team import locked_team


def revoke_webhook_secret(session: Session, asking: Asking, team_id: UUID, secret_id: UUID) -> None:
    """Delete the secret and commit. What was claimed before is still signed with it."""
    with locked_team(session, asking, team_id):
        secret = session.get(WebhookSecret, secret_id, populate_existing=True)
        if secret is None or secret.team_id != team_id:
            raise NotFoundError("There is no such webhook secret in this team.")
        session.delete(secret)
        audit(
            session,
            team_id,
            asking.actor,
            "webhook_secret.revoked",
            secret_id,
            before={"prefix": secret.prefix},
        )
