"""Somebody who edits a flow over HTTP, always having seen its newest version unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.models import FlowRevision
from tests.integration.api_client import Person, a_flow, a_node


@dataclass(frozen=True)
class EditedFlow:
    """A flow, and the person who edits it."""

    ann: Person
    id: str

    @property
    def path(self) -> str:
        return f"/flows/{self.id}"

    def get(self, path: str = "") -> dict[str, Any]:
        answer = self.ann.get(self.path + path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json or {}
        return found

    def etag(self) -> str:
        return self.ann.get(self.path).headers["ETag"]

    def call(self, method: str, path: str = "", body: Any = None, *, seen: str | None = None) -> TestResponse:
        return self.ann.call(method, self.path + path, body, headers={"If-Match": seen or self.etag()})

    def edit(self, method: str, path: str = "", body: Any = None) -> dict[str, Any]:
        """Change what must be accepted; the flow afterwards."""
        answer = self.call(method, path, body)
        assert answer.status_code in (200, 201), answer.text
        flow: dict[str, Any] = answer.json or {}
        return flow

    def ids(self) -> list[str]:
        return [node["id"] for node in self.get()["nodes"]]

    def names(self) -> str:
        return " ".join(node["name"] for node in self.get()["nodes"])


def edited_flow(ann: Person, *names: str, **changes: Any) -> EditedFlow:
    """A flow with a node of each name, in a team of its own."""
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = ann.make(f"/teams/{team}/flows", a_flow(*map(a_node, names), **changes))
    return EditedFlow(ann, flow["id"])


def frozen(session: Session) -> list[FlowRevision]:
    """All revisions of the only flow, oldest first."""
    session.rollback()
    return list(session.scalars(select(FlowRevision).order_by(FlowRevision.number)))
