"""Every route of a team, also those that are added later, tried by everybody: the table says what follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import insert, text
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from alertops.db import Base
from alertops.models import (
    ApiKey,
    Destination,
    Flow,
    GoneWebhook,
    Heartbeat,
    Integration,
    Invitation,
    MaintenanceWindow,
    Membership,
    Outsider,
    Subscription,
    Team,
    WebhookSecret,
)
from alertops.models.api_key import Scope
from alertops.models.letter import LetterKind
from alertops.models.team import Role
from alertops.services.access.actor import Person as Caller
from alertops.services.access.api_key_text import ApiKeyText
from alertops.services.access.permissions import Action, role_may, scopes_may
from alertops.services.dispatch import Dispatcher
from alertops.services.flows.create_flow import create_flow
from alertops.services.letters.write_letter import write_letter
from alertops.services.start_execution import Alert, start_execution
from api import BLUEPRINTS
from api.blueprints import TeamBlueprint
from tests.integration.api_client import Person, a_node, person
from tests.integration.test_api_isolation import BODIES, calls, path_of
from tests.integration.world import Broker

STRANGER, FORMER = "stranger", "former member"


@dataclass(frozen=True)
class Subject:
    """A team with one of everything, and the tokens of those who may try."""

    ids: dict[str, Any]
    tokens: dict[str, str]

    def body(self, endpoint: str) -> Any:
        if endpoint == "members.hand_over_team":
            return {"user_id": self.ids["heir_id"]}
        if endpoint == "operations.reassign_execution":
            return {"user_id": self.ids["heir_id"]}
        if endpoint == "nodes.order":
            return {"node_ids": [self.ids["node_id"], self.ids["other_node_id"]]}
        if endpoint in ("integrations.create", "heartbeats.create"):
            return {**BODIES[endpoint], "flow_id": str(self.ids["flow_id"])}
        if endpoint == "invitations.create":
            return {"email": f"{uuid4().hex}@example.org", "role": "viewer"}
        return BODIES.get(endpoint, {})


class Stage:
    """People who stay, and teams of them that a call may change or end."""

    def __init__(self, app: Flask, session: Session) -> None:
        self.app, self.session = app, session
        self.people: dict[str, Person] = {role: person(app, role) for role in (*Role, "heir")}
        self.outside = {name: person(app, name.replace(" ", "")) for name in (STRANGER, FORMER)}

    def team(self) -> Subject:
        """A team: each role once, besides the owner's heir, and a key of each scope."""
        team = Team(name="Operations")
        self.session.add(team)
        self.session.flush()
        for role, somebody in self.people.items():
            as_role = Role.OWNER if role == "heir" else role
            self.session.add(Membership(team_id=team.id, user_id=somebody.id, role=as_role))
        keys = {scope: ApiKeyText.new() for scope in Scope}
        key_ids = [self._key(team.id, text_, [scope]) for scope, text_ in keys.items()]
        flow_id, node_ids, execution_id = self._flow(team.id)
        people = {**self.people, **self.outside}
        tokens = {name: somebody.token for name, somebody in people.items() if name != "heir"}
        return Subject(
            ids={
                "team_id": team.id,
                "flow_id": flow_id,
                "node_id": str(node_ids[0]),
                "other_node_id": str(node_ids[1]),
                "execution_id": execution_id,
                "number": 1,
                "key_id": key_ids[0],
                "window_id": self._window(team.id),
                "secret_id": self._secret(team.id),
                **self._ways_in(team.id),
                "gone_id": self._gone(team.id),
                "destination_id": self._destination(team.id),
                "subscription_id": self._subscription(team.id),
                **self._addressed(team.id),
                "heir_id": str(self.people["heir"].id),
            },
            tokens=tokens | {f"key: {scope}": key.text for scope, key in keys.items()},
        )

    def _addressed(self, team_id: UUID) -> dict[str, UUID]:
        """An invitation, as it is while its letter is on the way, and an address outside the team."""
        name, soon = uuid4().hex, text("now() + interval '1 day'")
        invitation = Invitation(
            team_id=team_id, email=f"{name}@example.org", role="viewer", status="pending", expires_at=soon
        )
        outsider = Outsider(team_id=team_id, address=f"{name}@example.net")
        self.session.add_all([invitation, outsider])
        self.session.flush()
        write_letter(
            self.session,
            LetterKind.INVITATION,
            invitation.email,
            lifetime=timedelta(days=1),
            invitation_id=invitation.id,
        )
        self.session.commit()
        return {"invitation_id": invitation.id, "outsider_id": outsider.id}

    def _ways_in(self, team_id: UUID) -> dict[str, UUID]:
        """They lead to a flow of their own, so that they keep nobody from archiving the other."""
        flow = Flow(team_id=team_id, name="Of the integration", revision_number=1)
        self.session.add(flow)
        self.session.flush()
        row = Integration(
            team_id=team_id,
            kind="pagerduty",
            name="monitoring",
            flow_id=flow.id,
            prefix="AAAA",
            hash=uuid4().bytes * 2,
            created_by=self.people[Role.OWNER].id,
        )
        heartbeat = Heartbeat(
            team_id=team_id,
            flow_id=flow.id,
            name="backup",
            every_seconds=3600,
            grace_seconds=60,
            severity="critical",
            resolve_on_ping=True,
            status="new",
            prefix="AAAA",
            hash=uuid4().bytes * 2,
            created_by=self.people[Role.OWNER].id,
        )
        self.session.add_all([row, heartbeat])
        self.session.commit()
        return {"integration_id": row.id, "heartbeat_id": heartbeat.id}

    def _key(self, team_id: UUID, key: ApiKeyText, scopes: list[Scope]) -> UUID:
        row = {"team_id": team_id, "name": "key", "prefix": key.prefix, "hash": key.hash, "scopes": scopes}
        # As if it had been used just now: to note that again would be a change.
        used = {"created_by": self.people[Role.OWNER].id, "last_used_at": text("now()")}
        made: UUID = self.session.scalars(insert(ApiKey).values(row | used).returning(ApiKey.id)).one()
        return made

    def _window(self, team_id: UUID) -> UUID:
        later = text("now() + interval '1 day'")
        window = MaintenanceWindow(
            team_id=team_id,
            name="Nightly",
            mode="hold",
            starts_at=later,
            hours={"from": "03:00", "to": "04:00", "time_zone": "UTC", "days": None},
            created_by=self.people[Role.OWNER].id,
        )
        self.session.add(window)
        self.session.flush()
        return window.id

    def _secret(self, team_id: UUID) -> UUID:
        row = WebhookSecret(
            team_id=team_id, prefix="whsec_", sealed="-", created_by=self.people[Role.OWNER].id
        )
        self.session.add(row)
        self.session.flush()
        return row.id

    def _gone(self, team_id: UUID) -> UUID:
        row = GoneWebhook(team_id=team_id, url_hash=b"-" * 32, shown_url="https://x/…", said="410 Gone")
        self.session.add(row)
        self.session.flush()
        return row.id

    def _subscription(self, team_id: UUID) -> UUID:
        owner = self.people[Role.OWNER].id
        row = Subscription(team_id=team_id, name="Chat", url="https://hooks.example.com/", created_by=owner)
        self.session.add(row)
        self.session.flush()
        return row.id

    def _destination(self, team_id: UUID) -> UUID:
        owner = self.people[Role.OWNER].id
        row = Destination(team_id=team_id, name="Room", shown="slack://…", sealed="-", created_by=owner)
        self.session.add(row)
        self.session.flush()
        return row.id

    def _flow(self, team_id: UUID) -> tuple[UUID, list[UUID], UUID]:
        usual = {"retry": {}, "on_failure": "escalate", "on_unknown": "resend"}
        nodes = [{**a_node(name), **usual} for name in ("first", "second")]
        about = {"description": "", "repeat": 0}
        author = Caller(self.people[Role.OWNER].id)
        flow = create_flow(self.session, team_id, author, name="Flow", nodes=nodes, **about)  # type: ignore[arg-type]
        alert = Alert("disk full", "critical", {})
        started = start_execution(self.session, Dispatcher(Broker()), flow, alert, author.id)
        return flow.id, [node.id for node in flow.nodes], started.execution.id

    def attempt(self, subject: Subject, who: str, rule: Rule, method: str) -> TestResponse:
        # Whom it is about: whoever it is that tries, so that anybody can leave; a key has nobody to be.
        somebody = self.people.get(who) or self.outside.get(who) or self.people[Role.VIEWER]
        path = path_of(self.app, rule, {**subject.ids, "user_id": somebody.id})
        body = subject.body(rule.endpoint) if method != "GET" else None
        headers = {"Authorization": f"Bearer {subject.tokens[who]}", "If-Match": "*"}
        client = self.app.test_client()
        # Buffered: what is streamed is read to its end.
        return client.open(path, method=method, json=body, headers=headers, buffered=True)


@pytest.fixture
def stage(app: Flask, session: Session) -> Stage:
    return Stage(app, session)


def team_calls(app: Flask) -> list[tuple[Rule, str]]:
    """Every route of what belongs to a team, with every method that it takes."""
    of_teams = {blueprint.name for blueprint in BLUEPRINTS if isinstance(blueprint, TeamBlueprint)}
    return [(rule, method) for rule, method in calls(app) if rule.endpoint.partition(".")[0] in of_teams]


def action_of(app: Flask, rule: Rule) -> Action:
    action: Action = vars(app.view_functions[rule.endpoint])["permits"]
    return action


def expected(who: str, action: Action) -> str:
    """What the table says of them."""
    if who in (STRANGER, FORMER):
        return "hidden"
    if who.startswith("key: "):
        return "done" if scopes_may([Scope(who.removeprefix("key: "))], action) else "refused"
    return "done" if role_may(Role(who), action) else "refused"


def said(answer: TestResponse) -> str:
    kinds = {403: "refused", 404: "hidden"}
    return kinds.get(answer.status_code, "done" if answer.status_code < 300 else answer.text)


def everything(session: Session) -> dict[str, str]:
    """A digest of each table, so that any change of any row shows."""
    session.rollback()
    whole = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t"
    digests = {
        table.name: str(session.scalar(text(whole.format(table.name))))
        for table in Base.metadata.sorted_tables
    }
    # What comes next takes long, and a transaction that waits for it is ended by the server.
    session.rollback()
    return digests


def test_every_route_of_a_team_names_an_action(app: Flask) -> None:
    found = team_calls(app)
    assert len(found) >= 34
    unnamed = {rule.endpoint for rule, _ in found if "permits" not in vars(app.view_functions[rule.endpoint])}
    assert unnamed == set()


def test_who_may_not_is_refused_and_changes_nothing(app: Flask, session: Session, stage: Stage) -> None:
    subject = stage.team()
    before = everything(session)
    tried = 0
    for rule, method in team_calls(app):
        for who in subject.tokens:
            wanted = expected(who, action_of(app, rule))
            if wanted != "done":
                answer = stage.attempt(subject, who, rule, method)
                assert said(answer) == wanted, f"{who}: {method} {rule}"
                tried += 1
    assert tried >= 150
    assert everything(session) == before


def test_who_may_gets_through(app: Flask, stage: Stage) -> None:
    """Each change in a team of its own, so that none finds what another has left."""
    looked_at = stage.team()
    tried = 0
    for rule, method in team_calls(app):
        for who in looked_at.tokens:
            if expected(who, action_of(app, rule)) == "done":
                subject = looked_at if method == "GET" else stage.team()
                answer = stage.attempt(subject, who, rule, method)
                # Whoever is told that what runs cannot be replayed has been let in.
                runs = rule.endpoint == "operations.replay_execution" and answer.status_code == 409
                assert runs or said(answer) == "done", f"{who}: {method} {rule}"
                tried += 1
    assert tried >= 80
