"""An integration is changed, gets another key, or is revoked: each under the lock of its row, and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError
from alertops.models import Integration
from alertops.secret_box import SecretBox
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.access.door import find_integration
from alertops.services.integrations.integration_faults import require_possible
from alertops.services.integrations.integration_key import IntegrationKey
from alertops.services.integrations.make_integration import (
    MadeIntegration,
    sealed_secret,
    stored_rules,
    told_of,
)


def change_integration(
    session: Session,
    asking: Asking,
    place: tuple[UUID, UUID],
    box: SecretBox,
    changes: Mapping[str, Any],
) -> Integration:
    """Change what is named, for what comes from now on, and commit. Its place is its team, and its id."""
    team_id, integration_id = place
    with _locked(session, asking, team_id, integration_id) as integration:
        require_possible(session, team_id, integration.kind, changes)
        _require_live(integration)
        before = told_of(integration)
        for name, value in _stored(changes, box).items():
            setattr(integration, name, value)
        after = told_of(integration)
        told = {name for name in after if after[name] != before[name]}
        if told:
            only = ({name: said[name] for name in told} for said in (before, after))
            _audit(session, asking, integration, "integration.changed", *only)
    return integration


def rotate_key(
    session: Session, asking: Asking, team_id: UUID, integration_id: UUID, *, keep_old_seconds: int
) -> MadeIntegration:
    """Make another key and commit. The one before it stays good for so long, those before that one do not."""
    key = IntegrationKey.new()
    with _locked(session, asking, team_id, integration_id) as integration:
        _require_live(integration)
        before = {"prefix": integration.prefix}
        integration.old_hash, integration.old_until = None, None
        if keep_old_seconds:
            integration.old_hash = integration.hash
            integration.old_until = func.clock_timestamp() + timedelta(seconds=keep_old_seconds)
        integration.hash, integration.prefix = key.hash, key.prefix
        after = {"prefix": key.prefix, "keep_old_seconds": keep_old_seconds}
        _audit(session, asking, integration, "integration.key_rotated", before, after)
    return MadeIntegration(integration, key.text)


def revoke_integration(session: Session, asking: Asking, team_id: UUID, integration_id: UUID) -> None:
    """Let nothing in any more, and commit. Safe to repeat: it stays revoked since the first time."""
    with _locked(session, asking, team_id, integration_id) as integration:
        if integration.revoked_at is None:
            integration.revoked_at = func.clock_timestamp()
            integration.revoked_by = asking.actor.id
            _audit(session, asking, integration, "integration.revoked", told_of(integration), None)


def _stored(changes: Mapping[str, Any], box: SecretBox) -> dict[str, Any]:
    """The changes as columns have them."""
    columns = dict(changes)
    if "rules" in changes:
        columns["rules"] = stored_rules(changes["rules"])
    if "secret" in changes:
        columns["sealed"] = sealed_secret(box, columns.pop("secret"))
    return columns


@contextmanager
def _locked(session: Session, asking: Asking, team_id: UUID, integration_id: UUID) -> Iterator[Integration]:
    """The integration, locked, for somebody who may do what they ask for; committed at the end."""
    integration = find_integration(session, asking, team_id, integration_id)
    lock = select(Integration).where(Integration.id == integration_id).with_for_update(key_share=True)
    try:
        session.scalars(lock.execution_options(populate_existing=True)).one()
        yield integration
        session.flush()
        session.refresh(integration)
    except BaseException:
        session.rollback()  # lets the lock go
        raise
    session.commit()


def _require_live(integration: Integration) -> None:
    if integration.revoked_at is not None:
        raise ConflictError("The integration was revoked: make another one.", revoked=True)


def _audit(
    session: Session,
    asking: Asking,
    integration: Integration,
    action: str,
    *told: dict[str, Any] | None,
) -> None:
    """`told` are what it was before, and what it is now."""
    before, after = told
    audit(session, integration.team_id, asking.actor, action, integration.id, before=before, after=after)
