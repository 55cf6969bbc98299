"""What Grafana signs is looked at: with a secret nothing else comes in, and nothing that is old."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.intake.signature import SIGNATURE, TIMESTAMP
from alertops.secret_box import SecretBox, new_key
from tests.integration.api_client import assert_problem
from tests.integration.doors import Door, door, executions
from tests.integration.test_docs_integrations import settings
from tests.unit.test_intake import ALERT

SECRET = "a secret of some length"
BODY = json.dumps({"alerts": [ALERT]})


@pytest.fixture
def way_in(app: Flask) -> Door:
    return door(app, "grafana", secret=SECRET)


def sign(body: str, timestamp: str | None, secret: str = SECRET) -> dict[str, str]:
    """As Grafana does."""
    signed = body if timestamp is None else f"{timestamp}:{body}"
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    return {SIGNATURE: digest} if timestamp is None else {SIGNATURE: digest, TIMESTAMP: timestamp}


def send(client: FlaskClient, way_in: Door, headers: dict[str, str], body: str = BODY) -> TestResponse:
    return client.post(f"/integrations/grafana/{way_in.key}", data=body, headers=headers)


def about(seconds: int) -> str:
    return str(int(time.time()) + seconds)


@pytest.mark.parametrize("seconds", [None, 0, -200, 200])
def test_what_is_signed_comes_in(
    way_in: Door, client: FlaskClient, session: Session, seconds: int | None
) -> None:
    timestamp = None if seconds is None else about(seconds)
    assert send(client, way_in, sign(BODY, timestamp)).status_code == 202
    assert len(executions(session)) == 1


def test_what_is_not_signed_or_otherwise_or_long_ago_does_not(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    now = about(0)
    right = sign(BODY, now)
    wrong: list[dict[str, str]] = [
        {},
        {SIGNATURE: ""},
        {SIGNATURE: "é"},
        sign(BODY, None, "another secret of some length"),
        sign(BODY + " ", None),
        {SIGNATURE: sign(BODY, None)[SIGNATURE].upper()},
        {SIGNATURE: "sha256=" + sign(BODY, None)[SIGNATURE]},
        # A replay, with the time that it was sent with, another one, or none.
        sign(BODY, about(-400)),
        sign(BODY, about(400)),
        {**sign(BODY, about(-400)), TIMESTAMP: now},
        {SIGNATURE: right[SIGNATURE]},
        {**right, TIMESTAMP: ""},
        *(
            {**sign(BODY, odd), TIMESTAMP: odd}
            for odd in ("x", "-1", "1e9", "9" * 30, "99999999999", "\u0661")
        ),
    ]
    for headers in wrong:
        assert_problem(send(client, way_in, headers), 401)
    # What was signed with a time, sent as if that were a part of the body.
    assert send(client, way_in, {SIGNATURE: right[SIGNATURE]}, f"{now}:{BODY}").status_code == 400
    assert executions(session) == []


def test_a_secret_is_sealed_never_shown_replaced_and_taken_away(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    assert way_in.made["signed"] is True
    way_in.change(secret="another secret of some length")
    assert send(client, way_in, sign(BODY, None)).status_code == 401
    assert send(client, way_in, sign(BODY, None, "another secret of some length")).status_code == 202
    for table in ("integrations", "audit_log"):
        stored = session.scalars(text(f"SELECT t::text FROM {table} t")).all()
        assert not any("of some length" in line for line in stored)
    way_in.change(secret=None)
    assert send(client, way_in, {}).status_code == 202
    shown: dict[str, Any] = way_in.owner.get(way_in.path).json or {}
    assert shown["signed"] is False
    assert not {"secret", "sealed"} & shown.keys()


def test_a_secret_that_cannot_be_opened_refuses_nobody_for_good(
    app: Flask, way_in: Door, client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "alertops.secret_box", SecretBox([new_key()]))
    assert_problem(send(client, way_in, sign(BODY, None)), 503)
    assert executions(session) == []


def test_the_contact_point_of_the_page_signs_as_it_is_looked_at(
    way_in: Door, client: FlaskClient, session: Session
) -> None:
    said = settings("hmacConfig", "http://here", way_in.key)["contactPoints"][0]["receivers"][0]["settings"]
    config = said["hmacConfig"]
    assert (config["header"], config["timestampHeader"]) == (SIGNATURE, TIMESTAMP)
    headers = {**sign(BODY, about(0)), "Authorization": f"Bearer {said['authorization_credentials']}"}
    assert client.put(said["url"].removeprefix("http://here"), data=BODY, headers=headers).status_code == 202
