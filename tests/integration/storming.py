"""Alerts of a flow that groups by what they say of a host, and what becomes of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Execution, Flow, GroupedAlert, TimelineEntry
from alertops.services.alerts import Alert, StartRequest
from alertops.services.start_executions import Started, start_executions
from tests.integration.world import World, node

WINDOW = 300


class Storm:
    """A flow that groups by host, and alerts for it."""

    def __init__(self, world: World, *fields: str) -> None:
        self.world = world
        self.flow: Flow = world.flow(
            node("a", 0),
            node("b", 600),
            group_by=fields or ("details.host",),
            group_window_seconds=WINDOW,
        )
        self.flow_id, self.team_id = self.flow.id, self.flow.team_id
        world.session.rollback()

    def alert(
        self, key: str | None, host: str | None = "db1", severity: str = "error", **labels: str
    ) -> Alert:
        return Alert(f"{key} of {host}", severity, {"host": host} if host else {}, key, labels)

    def start(self, *alerts: Alert, session: Session | None = None, **more: Any) -> list[Started]:
        requests = [StartRequest(self.flow_id, alert) for alert in alerts]
        session = session or self.world.session
        return start_executions(session, self.world.dispatcher, requests, None, team_id=self.team_id, **more)

    def one(self, key: str | None, host: str | None = "db1", severity: str = "error") -> Started:
        (started,) = self.start(self.alert(key, host, severity))
        return started

    @property
    def executions(self) -> list[Execution]:
        """All that there are, oldest first, as they are now."""
        self.world.session.rollback()
        self.world.session.expire_all()
        return list(
            self.world.session.scalars(
                select(Execution).where(Execution.flow_id == self.flow_id).order_by(Execution.created_at)
            )
        )

    def listed(self, execution: Execution) -> list[GroupedAlert]:
        self.world.session.rollback()
        self.world.session.expire_all()
        query = select(GroupedAlert).where(GroupedAlert.execution_id == execution.id)
        return list(self.world.session.scalars(query.order_by(GroupedAlert.id)))

    def told(self, execution: Execution, event: str) -> list[dict[str, Any]]:
        query = select(TimelineEntry.detail).where(
            TimelineEntry.execution_id == execution.id, TimelineEntry.event == event
        )
        return list(self.world.session.scalars(query.order_by(TimelineEntry.id)))
