"""Somebody who is no member does not want a team's alerts any more: one click, without an account (RFC 8058).

From the commit on, no send to the address begins for this team, and a step that names it resolves to nobody.
What runs says so on its timeline. Only the address can take it back: when the team asks, and it agrees.
"""

from __future__ import annotations

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from alertops.escalation.states import ExecutionStatus
from alertops.models import Attempt, Execution, Outsider
from alertops.models.actor_kind import ActorKind
from alertops.services.access.actor import TokenHolder
from alertops.services.access.audit import audit
from alertops.services.accounts.open_session import Client
from alertops.services.invitations.find_outsider import AddressedOutsider
from alertops.services.lock import lock_execution
from alertops.services.timeline import tell

# Of what runs, as many executions are told about it; the audit log says it for all.
TOLD = 100

log = structlog.get_logger(__name__)


def stop_alerts(session: Session, addressed: AddressedOutsider, client: Client) -> None:
    """Stop them and commit. Safe to repeat."""
    outsider = addressed.outsider
    changed = session.execute(
        update(Outsider)
        .where(Outsider.id == outsider.id, Outsider.stopped_at.is_(None))
        .values(stopped_at=func.clock_timestamp())
        .returning(Outsider.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if changed is not None:
        _tell(session, outsider)
        holder = TokenHolder(ActorKind.OUTSIDER, outsider.id, client)
        audit(session, outsider.team_id, holder, "outsider.stopped", outsider.id)
        log.info("outsider_stopped", outsider=str(outsider.id), team=str(outsider.team_id))
    session.commit()
    session.refresh(outsider)


def _tell(session: Session, outsider: Outsider) -> None:
    """On the timelines of what runs and has told this address; locked in the order of their ids."""
    told = select(Attempt.execution_id).where(
        Attempt.execution_id == Execution.id, Attempt.outsider_id == outsider.id
    )
    running = session.scalars(
        select(Execution.id)
        .where(
            Execution.team_id == outsider.team_id,
            Execution.status == ExecutionStatus.RUNNING,
            told.exists(),
        )
        .order_by(Execution.id)
        .limit(TOLD)
    ).all()
    for execution_id in running:
        if lock_execution(session, execution_id) is not None:
            tell(session, execution_id, "address_stopped", address=outsider.address)
