"""What a team's webhooks are signed with, read when one is claimed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from alertops.models import WebhookSecret

_NOTED_EVERY = timedelta(minutes=1)
_unnoted = or_(
    WebhookSecret.last_used_at.is_(None), WebhookSecret.last_used_at < func.clock_timestamp() - _NOTED_EVERY
)


def signing_secrets(session: Session, team_id: UUID) -> tuple[str, ...]:
    """The team's secrets, sealed, newest first; that they are used is noted, to the minute.

    One statement, and a second one once a minute. It waits for nobody: other claims of the team note the
    same.
    """
    found = session.execute(
        select(WebhookSecret.id, WebhookSecret.sealed, _unnoted)
        .where(WebhookSecret.team_id == team_id)
        .order_by(WebhookSecret.created_at.desc(), WebhookSecret.id)
    ).all()
    to_note = [secret_id for secret_id, _, unnoted in found if unnoted]
    if to_note:
        free = select(WebhookSecret.id).where(WebhookSecret.id.in_(to_note), _unnoted)
        session.execute(
            update(WebhookSecret)
            .where(
                WebhookSecret.id.in_(free.with_for_update(key_share=True, skip_locked=True).scalar_subquery())
            )
            .values(last_used_at=func.clock_timestamp())
            .execution_options(synchronize_session=False)
        )
    return tuple(sealed for _, sealed, _ in found)
