"""A team is deleted: nothing of it fires or starts any more, and nobody can reach it.

::

    lock the team ─▶ delete its heartbeats ─▶ lock its flows, against starts ─▶ lock its open executions ─▶
                                            cancel, archive, revoke, take out the members ─▶ commit

All in one transaction: a start, a fire, an answer or a claim comes before it, and is counted, or after it,
and finds what it wanted archived or cancelled. What has happened stays in the tables, under a team that has
no members.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import DeclarativeBase, Session

from alertops.escalation.states import AttemptStatus
from alertops.models import (
    ApiKey,
    Attempt,
    Destination,
    Execution,
    Flow,
    Heartbeat,
    Invitation,
    Membership,
    Subscription,
    WebhookSecret,
)
from alertops.models.invitation import OPEN, InvitationStatus
from alertops.services.access.actor import Actor, Asking
from alertops.services.access.audit import audit
from alertops.services.cancel_executions import CANCELLABLE, cancel_executions
from alertops.services.teams.locked_team import locked_team

TEAM_DELETED = "team_deleted"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Deletion:
    """What ends with the team; and the sends under way, which are not called back."""

    flows: int
    executions: int
    invitations: int
    api_keys: int
    members: int
    sends_in_flight: int


def preview_deletion(session: Session, team_id: UUID) -> Deletion:
    """What a deletion would end if it came now. Changes nothing."""
    return Deletion(
        flows=_count(session, Flow, *_flows_in_use(team_id)),
        executions=_count(session, Execution, *_open_executions(team_id)),
        invitations=_count(session, Invitation, *_open_invitations(team_id)),
        api_keys=_count(session, ApiKey, *_keys_in_use(team_id)),
        members=_count(session, Membership, Membership.team_id == team_id),
        sends_in_flight=_sends_in_flight(session, *_open_executions(team_id)),
    )


def delete_team(session: Session, asking: Asking, team_id: UUID) -> Deletion:
    """Delete the team, commit, and tell what ended."""
    with locked_team(session, asking, team_id) as team:
        # Before the flows, as a job that falls silent is locked before its flow.
        session.execute(delete(Heartbeat).where(Heartbeat.team_id == team_id))
        _keep_alerts_out(session, team_id)
        executions = cancel_executions(session, Execution.team_id == team_id, asking.actor.id, TEAM_DELETED)
        deletion = _end_the_rest(session, team_id, asking.actor, executions)
        team.deleted_at = func.clock_timestamp()
        audit(
            session,
            team_id,
            asking.actor,
            "team.deleted",
            team_id,
            before={"name": team.name},
            after=asdict(deletion),
        )
    log.info("team_deleted", team=str(team_id), by=str(asking.actor.id), executions=deletion.executions)
    return deletion


def _keep_alerts_out(session: Session, team_id: UUID) -> None:
    """Wait for the starts under way, and let none pass (services/flows/lock_flow.py); archived flows too."""
    session.execute(select(Flow.id).where(Flow.team_id == team_id).order_by(Flow.id).with_for_update()).all()


def _end_the_rest(session: Session, team_id: UUID, actor: Actor, executions: list[UUID]) -> Deletion:
    now = func.clock_timestamp()
    flows = update(Flow).where(*_flows_in_use(team_id)).values(archived_at=now)
    revoked = {"status": InvitationStatus.REVOKED, "ended_at": now}
    invitations = update(Invitation).where(*_open_invitations(team_id)).values(revoked)
    keys = update(ApiKey).where(*_keys_in_use(team_id)).values(revoked_at=now, revoked_by=actor.id)
    # What is deleted with the team and not counted: nobody misses it.
    session.execute(delete(WebhookSecret).where(WebhookSecret.team_id == team_id))
    session.execute(delete(Subscription).where(Subscription.team_id == team_id))
    session.execute(delete(Destination).where(Destination.team_id == team_id))
    members = delete(Membership).where(Membership.team_id == team_id)
    return Deletion(
        flows=_changed(session, flows),
        executions=len(executions),
        invitations=_changed(session, invitations),
        api_keys=_changed(session, keys),
        members=_changed(session, members),
        sends_in_flight=_sends_in_flight(session, Execution.id.in_(executions)),
    )


def _flows_in_use(team_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Flow.team_id == team_id, Flow.archived_at.is_(None)


def _open_executions(team_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Execution.team_id == team_id, Execution.status.in_(CANCELLABLE)


def _open_invitations(team_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Invitation.team_id == team_id, Invitation.status.in_(OPEN)


def _keys_in_use(team_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return ApiKey.team_id == team_id, ApiKey.revoked_at.is_(None)


def _sends_in_flight(session: Session, *executions: ColumnElement[bool]) -> int:
    of_these = Attempt.execution_id.in_(select(Execution.id).where(*executions))
    return _count(session, Attempt, of_these, Attempt.status == AttemptStatus.SENDING)


def _count(session: Session, model: type[DeclarativeBase], *which: ColumnElement[bool]) -> int:
    return session.execute(select(func.count()).select_from(model).where(*which)).scalar_one()


def _changed(session: Session, statement: Any) -> int:
    result: Any = session.execute(statement, execution_options={"synchronize_session": False})
    return int(result.rowcount)
