"""A monitoring system shows its key, and comes in by the integration that the key is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.errors import AuthenticationError
from alertops.intake.event import Source
from alertops.intake.mapping import Mapped
from alertops.intake.routing import Rule, rule_of
from alertops.models import Integration, Team
from alertops.services.access.actor import Monitor
from alertops.services.integrations.integration_key import IntegrationKey

_NOTED_EVERY = timedelta(minutes=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WayIn:
    """Who came in, and what the integration says of their events."""

    monitor: Monitor
    name: str
    flow_id: UUID
    rules: Sequence[Rule]
    mapping: Mapped | None
    sealed: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, integration: Integration) -> WayIn:
        monitor = Monitor(integration.id, integration.team_id)
        rules = [rule_of(stored) for stored in integration.rules]
        return cls(
            monitor,
            integration.name,
            integration.flow_id,
            rules,
            integration.mapping,
            integration.sealed,
        )


def authenticate_integration(session: Session, text: str, kind: Source) -> WayIn:
    """The way in that the key opens; `AuthenticationError` when it is none, or none any more.

    What is no key, an unknown one, one of another kind, a revoked one and one that was replaced are the same
    error.
    """
    key = IntegrationKey.parse(text)
    found = key and _find(session, key, kind)
    session.rollback()  # before the wall is raised for what comes next
    if not found:
        raise AuthenticationError("The key is not valid here.")
    integration, to_note = found
    if to_note:
        _note_use(session, integration.id)
    return WayIn.of(integration)


def _find(session: Session, key: IntegrationKey, kind: Source) -> tuple[Integration, bool] | None:
    now = func.clock_timestamp()
    replaced = (Integration.old_hash == key.hash) & (Integration.old_until > now)
    unnoted = or_(Integration.last_used_at.is_(None), Integration.last_used_at < now - _NOTED_EVERY)
    found = session.execute(
        select(Integration, unnoted)
        .join(Team, Team.id == Integration.team_id)
        .where(
            or_(Integration.hash == key.hash, replaced),
            Integration.kind == kind,
            Integration.revoked_at.is_(None),
            Team.deleted_at.is_(None),
        )
    ).one_or_none()
    if found is None:
        return None
    integration, to_note = found
    session.expunge(integration)  # so that it stays as it was read
    return integration, to_note


def _note_use(session: Session, integration_id: UUID) -> None:
    """Note when the key was used last: not more often than that, and never at a request's expense.

    Whoever has the row at this moment, to change it or to note the same, is not waited for.
    """
    row = select(Integration.id).where(Integration.id == integration_id)
    free = row.with_for_update(key_share=True, skip_locked=True).scalar_subquery()
    try:
        commit_without_flush(session)
        session.execute(
            update(Integration).where(Integration.id.in_(free)).values(last_used_at=func.clock_timestamp()),
            execution_options={"synchronize_session": False},
        )
        session.commit()
    except SQLAlchemyError as error:
        session.rollback()
        log.warning("key_use_not_noted", integration=str(integration_id), error=type(error).__name__)
