"""The API on a real database, as its other tests have it, and a team with something in it to be attacked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import update

from alertops.intake.event import Source
from alertops.models import Change, GoneWebhook, Membership, Outsider, User
from api.extensions import db
from tests.integration.api_client import Person, a_flow, a_node, person
from tests.integration.conftest import (
    all_sessions,
    app,
    client,
    database_url,
    migrated_database,
    publisher,
    session,
    sessions,
    shared_app,
)

PASSWORD = "correct horse battery staple"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

__all__ = [
    "all_sessions",
    "app",
    "client",
    "database_url",
    "migrated_database",
    "publisher",
    "session",
    "sessions",
    "shared_app",
]


@dataclass(frozen=True)
class Place:
    """An owner, the ids of what is in their team, by the names that they have in paths, and keys of doors."""

    owner: Person
    ids: dict[str, Any]
    keys: dict[str, str]

    def parameters(self, path: str, names: Iterable[str]) -> dict[str, Any]:
        """What to put into this path."""
        door = path.removeprefix("/integrations").split("/")[1]
        return {name: self.keys[door] if name == "key" else self.ids[name] for name in names}


def somebody(app: Flask, name: str) -> Person:
    """An account with a token, and with a password."""
    made = person(app, name)
    with app.app_context():
        db.session.execute(update(User).where(User.id == made.id).values(password_hash=QUICK.hash(PASSWORD)))
        db.session.commit()
    return made


_MAINTENANCE = {
    "name": "Nightly",
    "mode": "hold",
    "starts_at": "2099-01-01T00:00:00Z",
    "ends_at": "2099-01-02T00:00:00Z",
}

_DESTINATION = {"name": "Room", "url": "ntfys://ntfy.example.com/alerts"}
_SUBSCRIPTION = {"name": "Chat", "url": "https://hooks.example.com/events"}


_HOST = {"host": "db1"}


def place(app: Flask, name: str) -> Place:
    owner = somebody(app, name)
    team = owner.make("/teams", {"name": name})["id"]
    grouped = a_flow(a_node(), a_node("second"), group_by=["details.host"])
    flow = owner.make(f"/teams/{team}/flows", grouped)
    alert = {"summary": "disk full", "dedup_key": "disk", "details": _HOST}
    execution = owner.make(f"/flows/{flow['id']}/executions", alert)
    ids = {
        "team_id": team,
        "flow_id": flow["id"],
        "node_id": flow["nodes"][0]["id"],
        "execution_id": execution["id"],
        "number": 1,
        "integration_id": _integration(owner, team, flow["id"])["id"],
        "heartbeat_id": _heartbeat(owner, team, flow["id"])["id"],
        "session_id": str(owner.session_id),
        "user_id": str(owner.id),
        "key_id": owner.make(f"/teams/{team}/api-keys", {"name": "CI", "scopes": ["read"]})["id"],
        "window_id": owner.make(f"/teams/{team}/maintenance-windows", _MAINTENANCE)["id"],
        "secret_id": owner.make(f"/teams/{team}/webhook-secrets", {})["id"],
        "destination_id": owner.make(f"/teams/{team}/destinations", _DESTINATION)["id"],
        "subscription_id": owner.make(f"/teams/{team}/subscriptions", _SUBSCRIPTION)["id"],
        "invitation_id": _invite(owner, team, f"{name}-1"),
        "outsider_id": _outsider(app, team, f"{name}-1"),
        "gone_id": _gone(app, team, f"{name}-1"),
        # Of no mail: what is behind a good one is not another team's to begin with.
        "token": "mlt_" + "A" * 43,
    }
    keys = {str(kind): _integration(owner, team, flow["id"], kind)["key"] for kind in Source}
    keys["heartbeats"] = _heartbeat(owner, team, flow["id"])["key"]
    return Place(owner, ids, keys)


def second_of_each(app: Flask, place: Place) -> None:
    """So that each list has a second page."""
    owner, ids = place.owner, place.ids
    team = ids["team_id"]
    owner.make("/teams", {"name": "Another"})
    owner.make(f"/teams/{team}/flows", a_flow())
    owner.make(f"/flows/{ids['flow_id']}/executions", {"summary": "another"})
    joins = owner.post(f"/flows/{ids['flow_id']}/executions", {"summary": "load", "details": _HOST})
    assert joins.status_code == 200
    assert owner.post(f"/executions/{ids['execution_id']}/acknowledge").status_code == 200
    renamed = owner.call("PATCH", f"/flows/{ids['flow_id']}", {"name": "Another"}, headers={"If-Match": "*"})
    assert renamed.status_code == 200
    owner.make(f"/teams/{team}/api-keys", {"name": "Another", "scopes": ["read"]})
    owner.make(f"/teams/{team}/maintenance-windows", _MAINTENANCE)
    owner.make(f"/teams/{team}/webhook-secrets", {})
    owner.make(f"/teams/{team}/subscriptions", _SUBSCRIPTION)
    owner.make(f"/teams/{team}/destinations", {**_DESTINATION, "name": "Another"})
    _integration(owner, team, ids["flow_id"])
    _heartbeat(owner, team, ids["flow_id"])
    _change(app, team, ids["integration_id"], "one")
    _change(app, team, ids["integration_id"], "another")
    _invite(owner, team, "another")
    _outsider(app, team, "another")
    _gone(app, team, "another")
    member = person(app, f"member-of-{team}")
    with app.app_context():
        db.session.add(Membership(team_id=UUID(team), user_id=member.id, role="member"))
        db.session.commit()


def _integration(owner: Person, team: str, flow: str, kind: str = "pagerduty") -> dict[str, Any]:
    wanted = {"kind": kind, "name": "Monitoring", "flow_id": flow}
    return owner.make(f"/teams/{team}/integrations", wanted)


def _heartbeat(owner: Person, team: str, flow: str) -> dict[str, Any]:
    wanted = {"name": "Backup", "flow_id": flow, "every_seconds": 3600}
    return owner.make(f"/teams/{team}/heartbeats", wanted)


def _invite(owner: Person, team: str, name: str) -> str:
    invitation = {"email": f"{name}@example.com", "role": "viewer"}
    return str(owner.make(f"/teams/{team}/invitations", invitation)["id"])


def _change(app: Flask, team: str, integration: str, summary: str) -> None:
    with app.app_context():
        row = Change(team_id=UUID(team), integration_id=UUID(integration), summary=summary, details={})
        db.session.add(row)
        db.session.commit()


def _outsider(app: Flask, team: str, name: str) -> str:
    with app.app_context():
        row = Outsider(team_id=UUID(team), address=f"{name}@example.net")
        db.session.add(row)
        db.session.commit()
        return str(row.id)


def _gone(app: Flask, team: str, name: str) -> str:
    with app.app_context():
        about = {"url_hash": sha256(name.encode()).digest(), "shown_url": "https://x/…", "said": "410 Gone"}
        row = GoneWebhook(team_id=UUID(team), **about)
        db.session.add(row)
        db.session.commit()
        return str(row.id)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As good as any for what is tested here, and a hundred times faster."""
    monkeypatch.setattr("alertops.services.accounts.passwords._hasher", QUICK)


@pytest.fixture
def ann(app: Flask) -> Place:
    return place(app, "ann")


@pytest.fixture
def ben(app: Flask) -> Place:
    return place(app, "ben")
