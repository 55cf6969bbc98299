"""People who join a team, and how they want to be told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, update

from alertops.db import database_now
from alertops.models import Execution, Membership, TimelineEntry, User
from alertops.services.accounts.contact_methods import set_contact_methods
from tests.integration.world import World

BERLIN = "Europe/Berlin"


def joins(world: World, name: str, role: str = "member") -> UUID:
    """Somebody who is in the team from now on."""
    user = User(email=f"{name}@example.org", name=name, password_hash="-")
    world.session.add(user)
    world.session.flush()
    world.session.add(Membership(team_id=world.team.id, user_id=user.id, role=role))
    world.session.commit()
    return user.id


def leaves(world: World, user_id: UUID) -> None:
    world.session.execute(delete(Membership).where(Membership.user_id == user_id))
    world.session.commit()


def becomes(world: World, user_id: UUID, role: str) -> None:
    world.session.execute(update(Membership).where(Membership.user_id == user_id).values(role=role))
    world.session.commit()


def by_mail(after: int = 0, quiet: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"channel": "email", "after_seconds": after, "quiet": quiet}


def by_webhook(name: str, after: int = 0, quiet: dict[str, Any] | None = None) -> dict[str, Any]:
    url = f"https://hooks.example.org/{name}"
    return {"channel": "webhook", "url": url, "after_seconds": after, "quiet": quiet}


def wants(world: World, user_id: UUID, *methods: dict[str, Any]) -> None:
    set_contact_methods(world.session, user_id, list(methods))


def quiet_between(world: World, begins: timedelta, ends: timedelta) -> dict[str, Any]:
    """Quiet hours in Berlin that begin and end so long from now, except for what is critical."""
    now = database_now(world.session).astimezone(ZoneInfo(BERLIN))
    return {
        "from": _clock(now + begins),
        "to": _clock(now + ends),
        "time_zone": BERLIN,
        "days": None,
        "except_severities": ["critical"],
    }


def quiet_now(world: World) -> dict[str, Any]:
    return quiet_between(world, timedelta(hours=-6), timedelta(hours=6))


def _clock(at: datetime) -> str:
    return f"{at:%H:%M}"


def entries(world: World, execution: Execution, event: str) -> list[dict[str, Any]]:
    """What the timeline says with these events."""
    rows = world.session.query(TimelineEntry).filter_by(execution_id=execution.id, event=event)
    return [entry.detail for entry in rows.order_by(TimelineEntry.id)]
