"""A team makes a secret that signs its webhooks."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from secrets import token_bytes
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import WebhookSecret
from alertops.secret_box import SecretBox
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.teams.locked_team import locked_team

# One that receivers know, and the one that replaces it: both sign while receivers change over.
MAX_LIVE_SECRETS = 2

PREFIX = "whsec_"  # of Standard Webhooks
_BYTES = 32
_SHOWN = len(PREFIX) + 4


@dataclass(frozen=True)
class MadeSecret:
    """A secret and its text, which cannot be shown again."""

    webhook_secret: WebhookSecret
    secret: str = field(repr=False)


def make_webhook_secret(session: Session, asking: Asking, team_id: UUID, box: SecretBox) -> MadeSecret:
    """Make the secret and commit; all webhooks of the team are signed with it from now on, too.

    `ConflictError` when the team has two already.
    """
    text = PREFIX + b64encode(token_bytes(_BYTES)).decode()
    with locked_team(session, asking, team_id):
        _require_room(session, team_id)
        made = WebhookSecret(
            team_id=team_id, prefix=text[:_SHOWN], sealed=box.seal(text), created_by=asking.actor.id
        )
        session.add(made)
        session.flush()
        session.refresh(made)
        audit(
            session,
            team_id,
            asking.actor,
            "webhook_secret.made",
            made.id,
            after={"prefix": made.prefix},
        )
    return MadeSecret(made, text)


def _require_room(session: Session, team_id: UUID) -> None:
    """Under the team's lock, so that of two who make the last one at once, one does."""
    count = session.scalar(
        select(func.count()).select_from(WebhookSecret).where(WebhookSecret.team_id == team_id)
    )
    if (count or 0) >= MAX_LIVE_SECRETS:
        raise ConflictError(
            f"The team has {count} webhook secrets, and may not have more: revoke the older one first.",
            secrets=count,
        )
