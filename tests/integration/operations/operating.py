"""Do things about executions, and read what became of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from alertops.escalation.decision import Reason
from alertops.models import Execution, Flow, TimelineEntry, Timer
from alertops.services.access.actor import Person
from alertops.services.fire_timer import fire_timer
from alertops.services.flows.lock_flow import Editor
from alertops.services.keys import TimerKey
from alertops.services.operate import Answered, By
from tests.integration.world import World

Sessions = sessionmaker[Session]
HOUR = timedelta(hours=1)


def do(world: World, verb: Any, execution: Execution, *arguments: Any, note: str | None = None) -> Answered:
    by = By(world.owner.id, note=note)
    answered: Answered = verb(world.session, world.dispatcher, execution.id, *arguments, by)
    world.session.expire_all()
    return answered


def told(world: World, execution: Execution, event: str) -> TimelineEntry:
    query = select(TimelineEntry).where(
        TimelineEntry.execution_id == execution.id, TimelineEntry.event == event
    )
    return world.session.scalars(query.order_by(TimelineEntry.id.desc())).first() or pytest.fail(event)


def timers(world: World, execution: Execution) -> list[tuple[str, str]]:
    query = select(Timer).where(Timer.execution_id == execution.id).order_by(Timer.number)
    return [(timer.kind, timer.status) for timer in world.session.scalars(query)]


def shape(world: World, execution: Execution) -> list[tuple[str, str]]:
    return [(step.node_name, step.status) for step in world.steps(execution)]


def fire_timers(world: World, execution: Execution) -> list[Reason]:
    """A wake-up for every timer that there ever was."""
    numbers = world.session.scalars(select(Timer.number).where(Timer.execution_id == execution.id)).all()
    found = [fire_timer(world.session, world.dispatcher, TimerKey(execution.id, n)) for n in numbers]
    world.session.expire_all()
    return found


class EmptyQueues:
    """Of a broker in which nothing waits: what is late was lost."""

    def ready(self) -> dict[str, int]:
        return {"fire": 0}


def editor(world: World) -> Editor:
    return Editor(Person(world.owner.id), None)


def flow_of(world: World, execution: Execution) -> Flow:
    return world.session.get_one(Flow, execution.flow_id)


def added(name: str, delay: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "recipient": {"type": "email", "email": f"{name}@example.com"},
        "delay_seconds": delay,
        "retry": {},
        "on_failure": "escalate",
        "on_unknown": "resend",
    }
