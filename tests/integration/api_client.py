"""People who use the API in tests: each has an account and a token, and speaks JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.db import Base
from alertops.models import User
from alertops.services.accounts.open_session import Client, open_session
from api.extensions import db
from api.tokens import token_pair

API = "/api/v1"


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in."""

    client: FlaskClient
    id: UUID
    token: str
    session_id: UUID
    refresh_token: str

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        if body is not None:
            more["json"] = body
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        url = path if path.startswith(API) else API + path
        return self.client.open(url, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.call("POST", path, body, **more)

    def make(self, path: str, body: Any) -> dict[str, Any]:
        """Post what must be accepted, and return what came of it."""
        answer = self.post(path, body)
        assert answer.status_code in (201, 202), answer.text
        made: dict[str, Any] = answer.json or {}
        return made


def person(app: Flask, name: str) -> Person:
    """An account with a token, without the time that hashing a password takes."""
    with app.app_context():
        user = User(email=f"{name}@example.org", name=name, password_hash="cannot log in")
        db.session.add(user)
        db.session.commit()
        opened = open_session(db.session(), user.id, Client(), timedelta(days=1))
        tokens = token_pair(opened)
        return Person(app.test_client(), user.id, tokens["access_token"], opened.id, tokens["refresh_token"])


def a_node(name: str = "first", **changes: Any) -> dict[str, Any]:
    recipient = {"type": "email", "email": f"{name}@example.org"}
    return {"name": name, "recipient": recipient, "delay_seconds": 60, **changes}


def a_flow(*nodes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"name": "Database down", "nodes": list(nodes) or [a_node()], **changes}


def row_counts(session: Session) -> dict[str, int]:
    """How many rows each table has now."""
    session.rollback()
    counts = {
        table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
    }
    # What comes next may take long, and a transaction that waits for it is ended by the server.
    session.rollback()
    return counts


def assert_problem(answer: TestResponse, status: int) -> dict[str, Any]:
    """The answer is a well-formed problem with this status; return it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    problem: dict[str, Any] = answer.json or {}
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert isinstance(problem["errors"], list)
    return problem
