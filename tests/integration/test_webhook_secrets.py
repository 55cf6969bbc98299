"""Secrets that sign webhooks: shown once, stored sealed, and verified by the library that receivers use."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker
from standardwebhooks import Webhook, WebhookVerificationError

from alertops.errors import ConflictError
from alertops.models import WebhookSecret
from alertops.secret_box import SecretBox, new_key
from alertops.services.access.permissions import Action
from alertops.services.signing_secrets import signing_secrets
from alertops.services.teams.make_webhook_secret import make_webhook_secret
from tests.api_environment import SECRETS_KEY
from tests.integration.api_client import assert_problem, person
from tests.integration.crew import Crew, asks, audited, crew, team_queue
from tests.integration.hooking import channel
from tests.integration.raw_http import TAKEN, RawReceiver, raw_receiver
from tests.integration.test_webhooks import fired, send
from tests.integration.world import World

BOX = SecretBox([SECRETS_KEY])


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def make(team: Crew) -> dict[str, Any]:
    return team.admin.make(f"{team.path}/webhook-secrets", {})


def secret_of(world: World) -> str:
    asking = asks(world.owner.id, Action.MANAGE_KEYS)
    return make_webhook_secret(world.session, asking, world.team.id, BOX).secret


def signatures(receiver: RawReceiver) -> list[str]:
    return receiver.requests[-1].headers.get("webhook-signature", "").split()


def verify(receiver: RawReceiver, secret: str) -> Any:
    """What a receiver with this secret makes of the last message."""
    return Webhook(secret).verify(receiver.requests[-1].body, receiver.requests[-1].headers)


# --- making and revoking


def test_a_secret_is_shown_once_and_stored_sealed(team: Crew, session: Session) -> None:
    answer = team.admin.post(f"{team.path}/webhook-secrets")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    made = answer.json or {}
    secret = made.pop("secret")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert (made["prefix"], made["created_by"], made["last_used_at"]) == (
        secret[:10],
        str(team.admin.id),
        None,
    )
    assert team.admin.get(f"{team.path}/webhook-secrets").json == {"items": [made], "next_cursor": None}
    assert BOX.open(session.scalars(select(WebhookSecret.sealed)).one()) == secret
    for table in ("webhook_secrets", "audit_log"):
        stored = session.scalars(text(f"SELECT t::text FROM {table} t")).all()
        assert not any(secret[10:] in line for line in stored)


def test_a_team_has_two_at_most_and_a_third_after_one_is_revoked(team: Crew, session: Session) -> None:
    first, second = make(team), make(team)
    problem = assert_problem(team.admin.post(f"{team.path}/webhook-secrets"), 409)
    assert problem["current"] == {"secrets": 2}
    path = f"{team.path}/webhook-secrets/{first['id']}"
    assert team.admin.call("DELETE", path).status_code == 204
    assert_problem(team.admin.call("DELETE", path), 404)
    third = make(team)
    listed = (team.admin.get(f"{team.path}/webhook-secrets").json or {})["items"]
    assert [item["id"] for item in listed] == [third["id"], second["id"]]
    made = "webhook_secret.made"
    assert audited(session) == ["team.created", made, made, "webhook_secret.revoked", made]


def test_of_two_who_make_the_last_one_at_once_one_does(team: Crew, sessions: sessionmaker[Session]) -> None:
    make(team)

    def one_more(own: Session) -> bool:
        try:
            make_webhook_secret(own, asks(team.admin, Action.MANAGE_KEYS), team.team, BOX)
        except ConflictError:
            return False
        return True

    with team_queue(sessions, team.team) as queue:
        making = [queue.submit(one_more) for _ in range(2)]
    assert [future.result() for future in making] == [True, False]


def test_a_secret_of_another_team_is_not_revoked(team: Crew, app: Flask, session: Session) -> None:
    made = make(team)
    other = person(app, "other")
    elsewhere = other.make("/teams", {"name": "Elsewhere"})["id"]
    for secret_id in (made["id"], uuid4()):
        assert_problem(other.call("DELETE", f"/teams/{elsewhere}/webhook-secrets/{secret_id}"), 404)
    assert signing_secrets(session, team.team) != ()


def test_a_deleted_team_has_none_left(team: Crew, session: Session) -> None:
    make(team)
    assert team.owner.call("DELETE", team.path).status_code == 200
    assert session.scalars(select(WebhookSecret)).all() == []


# --- signing


def test_a_webhook_is_signed_with_the_teams_secret(world: World) -> None:
    secret = secret_of(world)
    with raw_receiver(TAKEN) as receiver:
        execution = fired(world, receiver)
        send(world, execution, channel())
    assert verify(receiver, secret)["execution"] == str(execution.id)
    assert receiver.requests[0].headers["webhook-id"] == f"{execution.id}.1.1"
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        verify(receiver, f"whsec_{'A' * 43}=")


def test_while_a_secret_is_replaced_either_verifies(world: World) -> None:
    secrets = [secret_of(world), secret_of(world)]
    with raw_receiver(TAKEN) as receiver:
        send(world, fired(world, receiver), channel())
    assert len(signatures(receiver)) == 2
    assert [verify(receiver, secret)["type"] for secret in secrets] == ["alert.step"] * 2


def test_without_a_secret_there_is_no_signature_and_another_teams_does_not_sign(
    world: World, team: Crew
) -> None:
    make(team)
    with raw_receiver(TAKEN) as receiver:
        send(world, fired(world, receiver), channel())
    assert "webhook-signature" not in receiver.requests[0].headers


def test_what_cannot_be_signed_is_not_sent_and_may_pass(world: World) -> None:
    """The worker was not told the key: whoever mends that need not mend the alert."""
    asking = asks(world.owner.id, Action.MANAGE_KEYS)
    elsewhere = SecretBox([new_key()])
    make_webhook_secret(world.session, asking, world.team.id, elsewhere)
    with raw_receiver(TAKEN) as receiver:
        execution = fired(world, receiver)
        send(world, execution, channel())
    assert receiver.requests == []
    failed, following = world.attempts(execution)
    assert (failed.status, following.status) == ("failed", "scheduled")
    wanting = f"could not be signed: a secret is sealed with the key {elsewhere.newest}, which"
    assert (failed.detail or "").startswith(wanting)


def test_when_a_secret_was_used_last_is_noted_once_a_minute_and_never_waited_for(
    world: World, sessions: sessionmaker[Session]
) -> None:
    secret_of(world)
    with sessions() as other:
        other.scalars(select(WebhookSecret).with_for_update()).all()
        assert len(signing_secrets(world.session, world.team.id)) == 1
    world.session.rollback()
    noted = []
    for moved_seconds in (0, 0, 59, 2):
        by = f"UPDATE webhook_secrets SET last_used_at = last_used_at - interval '{moved_seconds} s'"
        world.session.execute(text(by))
        before = world.session.scalar(select(WebhookSecret.last_used_at))
        signing_secrets(world.session, world.team.id)
        noted.append(world.session.scalar(select(WebhookSecret.last_used_at)) != before)
    assert noted == [True, False, False, True]
