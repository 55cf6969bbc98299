"""Subscribers in tests: a world in which machines are told what happens, and the workers that tell them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from alertops.channels.base import Delivery, Receipt
from alertops.channels.event_body import Event
from alertops.models import EventDelivery, Execution, Subscription
from alertops.services.add_note import add_note
from alertops.services.deliveries.host_places import HostPlaces
from alertops.services.deliveries.send_delivery import EventChannel, Outlet, send_delivery
from alertops.services.deliveries.standing import Told
from alertops.services.dispatch import SEND_DELIVERY, Message
from tests.integration.hooking import channel
from tests.integration.raw_http import RawReceiver
from tests.integration.world import World, node


class WorkerKilledError(BaseException):
    """The process is gone: nothing after this happens."""


class Dying:
    """A channel whose worker is killed as soon as the receiver has answered."""

    @contextmanager
    def open_event(self, event: Event, *, within_seconds: float) -> Iterator[Delivery]:
        with posts().open_event(event, within_seconds=within_seconds) as delivery:
            yield _DyingDelivery(delivery)


class _DyingDelivery:
    def __init__(self, over: Delivery) -> None:
        self._over = over

    def transmit(self, *, within_seconds: float) -> Receipt:
        self._over.transmit(within_seconds=within_seconds)
        raise WorkerKilledError


def posts() -> EventChannel:
    """The channel that posts to receivers on this machine."""
    return cast(EventChannel, channel())


class Post:
    """Sends what the world's publisher was given, as a worker would, one wake-up after another."""

    def __init__(self, world: World, over: EventChannel | None = None) -> None:
        self.world = world
        self.outlet = Outlet(over or posts(), HostPlaces())
        self._seen = 0

    def send(self, delivery_id: UUID, session: Session | None = None) -> Told:
        session = session or self.world.session
        return send_delivery(session, self.world.dispatcher, self.outlet, self.world.timing, delivery_id)

    def wake_ups(self) -> list[Message]:
        """Those that nobody has looked at yet."""
        messages = self.world.publisher.messages
        fresh = [message for message in messages[self._seen :] if message.task == SEND_DELIVERY]
        self._seen = len(messages)
        return fresh

    def run(self) -> list[Told]:
        """Until nothing is due: whatever comes of a wake-up is worked on, too. What is to wait, waits."""
        told: list[Told] = []
        todo = deque(self.wake_ups())
        while todo:
            message = todo.popleft()
            if message.delay_seconds == 0:
                told.append(self.send(UUID(str(message.args[0]))))
                todo.extend(self.wake_ups())
        return told

    def wait(self, seconds: float) -> list[Told]:
        """Let time go by, and whatever was to wait until then come."""
        let_pass(self.world, seconds)
        told = [self.send(delivery.id) for delivery in deliveries(self.world) if delivery.finished_at is None]
        return told + self.run()


def let_pass(world: World, seconds: float) -> None:
    """So much time goes by for all deliveries; what happened stays when it was, as it is in what is sent."""
    columns = ("due_at", "lease_until", "created_at", "finished_at", "dispatched_at")
    moved = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in columns)
    world.session.execute(text(f"UPDATE event_deliveries SET {moved}"), {"seconds": seconds})
    world.session.commit()


def subscribe(world: World, url: str, *, events: list[str] | None = None, **more: Any) -> Subscription:
    """Committed."""
    made = Subscription(
        team_id=more.pop("team_id", world.team.id),
        name="Chat",
        url=url,
        events=events,
        created_by=world.owner.id,
        **more,
    )
    world.session.add(made)
    world.session.commit()
    return made


def started(world: World) -> Execution:
    """An execution with one thing that has happened to it."""
    return world.start(world.flow(node("a", 600)))


def note(world: World, execution: Execution, words: str) -> None:
    """One more thing happens to it; whoever is to be told is woken as by a request."""
    add_note(world.session, execution.id, words, world.owner.id)
    world.dispatcher.dispatch(world.session, [])


def deliveries(world: World) -> list[EventDelivery]:
    """As they are now, in the order of what happened; no transaction is left open."""
    query = select(EventDelivery).order_by(EventDelivery.position, EventDelivery.subscription_id)
    rows = world.session.scalars(query.execution_options(populate_existing=True)).all()
    world.session.commit()
    return list(rows)


def states(world: World) -> list[str]:
    return [delivery.status for delivery in deliveries(world)]


def refreshed(world: World, subscription: Subscription) -> Subscription:
    world.session.refresh(subscription)
    world.session.commit()
    return subscription


def bodies(receiver: RawReceiver) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in receiver.requests]


def told(receiver: RawReceiver) -> list[str]:
    """What the receiver was told, by the names of the events; of notes, what they say."""
    data = [body["data"] for body in bodies(receiver)]
    return [one["detail"].get("text", one["event"]) for one in data]
