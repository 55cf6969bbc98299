"""Jobs that ping or fall silent, and time that passes for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.models import Execution, Flow, Heartbeat
from alertops.services.access.actor import Asking, Person
from alertops.services.access.permissions import Action
from alertops.services.alert_limit import AlertLimit
from alertops.services.dispatch import CHECK_HEARTBEAT, Message
from alertops.services.heartbeats.change_heartbeat import change_heartbeat
from alertops.services.heartbeats.check_heartbeat import Found, check_heartbeat
from alertops.services.heartbeats.make_heartbeat import make_heartbeat
from alertops.services.heartbeats.ping_heartbeat import ping_heartbeat
from alertops.services.keys import HeartbeatKey
from tests.integration.world import World, node

EVERY, GRACE = 60, 10
MOVED = (
    "last_ping_at",
    "due_at",
    "missed_at",
    "old_until",
    "created_at",
    "wake_at",
    "wake_set_at",
    "dispatched_at",
)


class Job:
    """One job of the world's team, its key, and what can happen to it."""

    def __init__(self, world: World, sessions: sessionmaker[Session], **more: Any) -> None:
        self.world, self.sessions = world, sessions
        self.flow: Flow = more.pop("flow", None) or world.flow(node("a", 0), node("b", 600))
        usual = {"every_seconds": EVERY, "grace_seconds": GRACE, "severity": "error", "resolve_on_ping": True}
        wanted = {"name": "Backup", "flow_id": self.flow.id, **usual, **more}
        made = make_heartbeat(world.session, self.asking, world.team.id, wanted)
        self.id: UUID = made.heartbeat.id
        self.key = made.key

    @property
    def asking(self) -> Asking:
        return Asking(Person(self.world.owner.id), Action.EDIT_FLOWS)

    @property
    def row(self) -> Heartbeat:
        """As it is now."""
        self.world.session.rollback()
        return self.world.session.get_one(Heartbeat, self.id, populate_existing=True)

    @property
    def execution(self) -> Execution:
        """The newest that there is."""
        self.world.session.rollback()
        newest = select(Execution).order_by(Execution.created_at.desc()).limit(1)
        return self.world.session.scalars(newest.execution_options(populate_existing=True)).one()

    def ping(self) -> str:
        """In a session of its own, as each request has one."""
        with self.sessions() as session:
            return ping_heartbeat(session, self.world.dispatcher, self.key)

    def pass_time(self, seconds: float) -> None:
        moved = ", ".join(f"{name} = {name} - :by" for name in MOVED)
        self.world.session.execute(
            text(f"UPDATE heartbeats SET {moved} WHERE id = :id"),
            {"by": timedelta(seconds=seconds), "id": self.id},
        )
        self.world.session.commit()

    def wake(self, number: int | None = None, limit: AlertLimit | None = None) -> Found:
        """As the wake-up with this number does, or the last that was set."""
        key = HeartbeatKey(self.id, self.row.wake_number if number is None else number)
        self.world.session.rollback()
        with self.sessions() as session:
            return check_heartbeat(session, self.world.dispatcher, key, limit)

    def change(self, **changes: Any) -> None:
        change_heartbeat(self.world.session, self.world.dispatcher, self.asking, self.id, changes)

    def miss(self) -> Execution:
        """A ping, and then silence."""
        self.ping()
        self.pass_time(EVERY + GRACE)
        assert self.wake() is Found.MISSING
        return self.execution


def wake_ups(messages: Sequence[Message]) -> list[tuple[int, float]]:
    """The wake-ups of heartbeats among the messages: their numbers, and for how long they wait."""
    return [
        (int(message.args[1]), message.delay_seconds)
        for message in messages
        if message.task == CHECK_HEARTBEAT
    ]
