"""Doors for tests: a team with an integration of a kind, and what came of what was sent to it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from alertops.models import Execution, TimelineEntry
from tests.integration.api_client import Person, a_flow, person


@dataclass(frozen=True)
class Door:
    """An integration, its key, and the person who made it."""

    owner: Person
    team: str
    flow: str
    made: dict[str, Any]

    @property
    def key(self) -> str:
        return str(self.made["key"])

    @property
    def path(self) -> str:
        return f"/teams/{self.team}/integrations/{self.made['id']}"

    def another_flow(self, name: str = "Another") -> str:
        return str(self.owner.make(f"/teams/{self.team}/flows", a_flow(name=name))["id"])

    def another(self, kind: str, **more: Any) -> Door:
        """Another integration of the team, which leads to the same flow."""
        return Door(self.owner, self.team, self.flow, _make(self.owner, self.team, kind, self.flow, **more))

    def change(self, **changes: Any) -> None:
        answer = self.owner.call("PATCH", self.path, changes)
        assert answer.status_code == 200, answer.text

    def send(self, client: FlaskClient, document: Any, **more: Any) -> TestResponse:
        """Send it where webhooks of this kind go."""
        return client.post(f"/integrations/{self.made['kind']}/{self.key}", json=document, **more)


def door(app: Flask, kind: str, name: str = "ann", **more: Any) -> Door:
    """A new team of somebody new, with a flow and an integration."""
    owner = person(app, name)
    team = owner.make("/teams", {"name": name})["id"]
    flow = owner.make(f"/teams/{team}/flows", a_flow())["id"]
    return Door(owner, team, flow, _make(owner, team, kind, flow, **more))


def _make(owner: Person, team: str, kind: str, flow: str, **more: Any) -> dict[str, Any]:
    return owner.make(f"/teams/{team}/integrations", {"kind": kind, "name": kind, "flow_id": flow, **more})


def executions(session: Session) -> list[Execution]:
    """All that there are, oldest first, as they are now."""
    session.rollback()
    session.expire_all()
    return list(session.scalars(select(Execution).order_by(Execution.created_at, Execution.id)))


def told(session: Session, execution: Execution | UUID) -> list[str]:
    id_ = execution if isinstance(execution, UUID) else execution.id
    query = select(TimelineEntry.event).where(TimelineEntry.execution_id == id_).order_by(TimelineEntry.id)
    session.rollback()
    return list(session.scalars(query))


@contextmanager
def served(app: Flask, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of the API on a real socket."""
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
