"""Two tenants with a row in every table, so that whatever leaks from one to the other is seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.models import (
    ApiKey,
    Attempt,
    AuditEntry,
    Change,
    ContactMethods,
    Destination,
    EventDelivery,
    Execution,
    Flow,
    FlowNode,
    FlowRevision,
    GoneWebhook,
    GroupedAlert,
    Heartbeat,
    Integration,
    Invitation,
    Letter,
    LoginSession,
    MailToken,
    MaintenanceWindow,
    Membership,
    Outsider,
    Step,
    Subscription,
    Team,
    TimelineEntry,
    Timer,
    User,
    WebhookSecret,
)


@dataclass(frozen=True)
class Tenant:
    """A team, its only member, and its only flow."""

    user_id: UUID
    team_id: UUID
    flow_id: UUID


def furnish(session: Session, name: str) -> Tenant:
    """A tenant with one row in each table that is about people or teams; committed."""
    user = User(email=f"{name}@example.org", name=name, password_hash="-")
    team = Team(name=name)
    session.add_all([user, team])
    session.flush()
    session.add_all(
        [
            Membership(team_id=team.id, user_id=user.id, role="owner"),
            ContactMethods(user_id=user.id, methods=[]),
            LoginSession(
                user_id=user.id,
                family_hash=_hash(),
                current_hash=_hash(),
                expires_at=_soon(),
                user_agent=name,
            ),
            ApiKey(
                team_id=team.id, name=name, prefix=name, hash=_hash(), scopes=["read"], created_by=user.id
            ),
            MaintenanceWindow(
                team_id=team.id,
                name=name,
                mode="hold",
                starts_at=datetime.now(UTC),
                ends_at=_soon(),
                created_by=user.id,
            ),
            GoneWebhook(team_id=team.id, url_hash=_hash(), shown_url=name, said="410 Gone"),
            Destination(team_id=team.id, name=name, shown="slack://…", sealed="-", created_by=user.id),
            WebhookSecret(team_id=team.id, prefix=name, sealed="-", created_by=user.id),
            AuditEntry(
                team_id=team.id,
                actor_kind="user",
                actor_id=user.id,
                action="team.renamed",
                subject="team",
                subject_id=team.id,
            ),
        ]
    )
    flow_id, execution_id = _alert(session, team, name)
    _subscription(session, team, flow_id, execution_id)
    _integration(session, team, flow_id, name)
    _letter(session, team, name)
    session.commit()
    return Tenant(user.id, team.id, flow_id)


def _alert(session: Session, team: Team, name: str) -> tuple[UUID, UUID]:
    flow = Flow(team_id=team.id, name=name, revision_number=1)
    session.add(flow)
    session.flush()
    session.add(FlowRevision(flow_id=flow.id, number=1, definition={"nodes": []}))
    session.add(
        FlowNode(
            flow_id=flow.id,
            position=0,
            name=name,
            recipient={"type": "email", "email": f"{name}@example.org"},
            delay_seconds=60,
            max_attempts=1,
            backoff_seconds=1,
            backoff_factor=1,
            max_backoff_seconds=1,
            on_failure="wait",
            on_unknown="hold",
        )
    )
    session.flush()
    execution = Execution(
        team_id=team.id,
        flow_id=flow.id,
        revision_number=1,
        status="running",
        summary=name,
        severity="info",
        details={},
        anchor_at=_soon(),
    )
    session.add(execution)
    session.flush()
    of_execution = {"execution_id": execution.id}
    session.add(
        Step(
            **of_execution,
            number=1,
            round=1,
            node_index=0,
            node_id="n",
            node_name=name,
            status="waiting",
            planned_at=_soon(),
            due_at=_soon(),
        )
    )
    session.flush()
    session.add(
        Attempt(
            **of_execution,
            step_number=1,
            target_number=1,
            number=1,
            channel="email",
            address=f"{name}@example.org",
            status="scheduled",
            due_at=_soon(),
        )
    )
    session.add(TimelineEntry(**of_execution, event="started", detail={}))
    session.add(GroupedAlert(**of_execution, flow_id=flow.id, summary=name, severity="info", alert_count=1))
    session.add(Timer(**of_execution, number=1, kind="resolve", status="waiting", due_at=_soon()))
    session.flush()
    return flow.id, execution.id


def _subscription(session: Session, team: Team, flow_id: UUID, execution_id: UUID) -> None:
    """After the entry, which would have made a delivery of its own."""
    subscription = Subscription(
        team_id=team.id, name=team.name, url="https://hooks.example.com/", created_by=team.id
    )
    session.add(subscription)
    session.flush()
    delivery = EventDelivery(
        subscription_id=subscription.id,
        execution_id=execution_id,
        position=1,
        flow_id=flow_id,
        execution_status="running",
    )
    session.add(delivery)


def _integration(session: Session, team: Team, flow_id: UUID, name: str) -> None:
    integration = Integration(
        team_id=team.id,
        kind="pagerduty",
        name=name,
        flow_id=flow_id,
        prefix=name,
        hash=_hash(),
        created_by=team.id,
    )
    session.add(integration)
    session.flush()
    session.add(Change(team_id=team.id, integration_id=integration.id, summary=name, details={}))
    session.add(
        Heartbeat(
            team_id=team.id,
            flow_id=flow_id,
            name=name,
            every_seconds=3600,
            grace_seconds=60,
            severity="critical",
            resolve_on_ping=True,
            status="new",
            prefix=name,
            hash=_hash(),
            created_by=team.id,
        )
    )


def _letter(session: Session, team: Team, name: str) -> None:
    invitation = Invitation(
        team_id=team.id,
        email=f"guest-of-{name}@example.org",
        role="viewer",
        status="pending",
        expires_at=_soon(),
    )
    session.add_all([invitation, Outsider(team_id=team.id, address=f"outside-{name}@example.org")])
    session.flush()
    letter = Letter(
        kind="invitation",
        address=invitation.email,
        invitation_id=invitation.id,
        status="scheduled",
        due_at=_soon(),
        expires_at=_soon(),
    )
    session.add(letter)
    session.flush()
    session.add(MailToken(hash=_hash(), letter_id=letter.id))


def _hash() -> bytes:
    return os.urandom(32)


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)
