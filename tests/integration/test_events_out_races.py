"""Many workers, failures in between, wake-ups that come twice: each line is told in its order even so."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from queue import Empty, Queue
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import func, select

from alertops.channels.base import ChannelError, Delivery, Receipt
from alertops.channels.event_body import Event
from alertops.config import Timing
from alertops.escalation.states import UNFINISHED
from alertops.models import EventDelivery
from alertops.services.add_note import add_note
from alertops.services.deliveries import host_places, record_delivery
from alertops.services.deliveries.host_places import HostPlaces
from alertops.services.deliveries.send_delivery import Outlet, send_delivery
from alertops.services.dispatch import SEND_DELIVERY, Dispatcher, Message
from tests.integration.recovering import Sessions
from tests.integration.subscribing import deliveries, started, subscribe
from tests.integration.world import World

WORKERS, EXECUTIONS, NOTES = 8, 4, 12
# Of ten tries, three fail; of ten wake-ups, three come twice.
FAIL, TWICE = 0.3, 0.3
PATIENCE = 60

Line = tuple[str, UUID]


class Receiver:
    """Outside the system, so a fake: it fails now and then, and notes who was told what, and when twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._random = Random(7)  # noqa: S311  to be the same each time
        self._speaking: set[Line] = set()
        self.overlaps: list[Line] = []
        self.tried: dict[Line, list[int]] = defaultdict(list)
        self.taken: dict[Line, list[int]] = defaultdict(list)

    @contextmanager
    def open_event(self, event: Event, *, within_seconds: float) -> Iterator[Delivery]:
        line = (event.url, event.execution_id)
        with self._lock:
            if line in self._speaking:
                self.overlaps.append(line)
            self._speaking.add(line)
            self.tried[line].append(event.position)
            fails = self._random.random() < FAIL
        try:
            yield _Turn(self, line, event.position, fails=fails)
        finally:
            with self._lock:
                self._speaking.discard(line)

    def take(self, line: Line, position: int) -> None:
        with self._lock:
            self.taken[line].append(position)


class _Turn:
    def __init__(self, receiver: Receiver, line: Line, position: int, *, fails: bool) -> None:
        self._receiver, self._line, self._position, self._fails = receiver, line, position, fails

    def transmit(self, *, within_seconds: float) -> Receipt:
        if self._fails:
            raise ChannelError("503 Busy")
        self._receiver.take(self._line, self._position)
        return Receipt("200 OK")


class Wires:
    """A broker that delivers at once, some things twice; who is woken too early asks to be woken again."""

    def __init__(self) -> None:
        self._random = Random(11)  # noqa: S311  likewise
        self.queue: Queue[UUID] = Queue()

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        for message in messages:
            if message.task == SEND_DELIVERY:
                for _ in range(2 if self._random.random() < TWICE else 1):
                    self.queue.put(UUID(str(message.args[0])))
        return [True] * len(messages)


class Workers:
    """Threads that work off the wake-ups, each in sessions of its own, until they are told to stop."""

    def __init__(self, sessions: Sessions, wires: Wires, receiver: Receiver) -> None:
        self._sessions, self._wires = sessions, wires
        self._dispatcher = Dispatcher(wires)
        self._outlet = Outlet(receiver, HostPlaces())
        self._stopped = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with ThreadPoolExecutor(WORKERS) as pool:
            working = [pool.submit(self._work) for _ in range(WORKERS)]
            try:
                yield
            finally:
                self._stopped.set()
            for one in working:
                one.result()

    def _work(self) -> None:
        while not self._stopped.is_set():
            with suppress(Empty):
                delivery_id = self._wires.queue.get(timeout=0.05)
                with self._sessions() as session:
                    send_delivery(session, self._dispatcher, self._outlet, Timing(), delivery_id)


def happen(world: World, sessions: Sessions, wires: Wires, executions: Sequence[UUID]) -> None:
    """People write about all executions at the same time."""

    def write(execution_id: UUID) -> None:
        with sessions() as session:
            for number in range(NOTES):
                add_note(session, execution_id, str(number), world.owner.id)
                Dispatcher(wires).dispatch(session, [])

    with ThreadPoolExecutor(EXECUTIONS) as pool:
        list(pool.map(write, executions))


def wait_until_nothing_is_left(sessions: Sessions) -> None:
    left = select(func.count()).select_from(EventDelivery).where(EventDelivery.status.in_(UNFINISHED))
    deadline = time.monotonic() + PATIENCE
    with sessions() as session:
        while session.scalar(left):
            session.rollback()
            assert time.monotonic() < deadline, "something was never told, and nobody was woken for it"
            time.sleep(0.05)


def test_each_line_is_told_all_and_in_its_order_and_nobody_has_to_repair(
    world: World, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_delivery, "pause_before", lambda *_: timedelta(milliseconds=10))
    # Nobody is to wait for a place here.
    monkeypatch.setattr(host_places, "PLACES", WORKERS)
    receiver, wires = Receiver(), Wires()
    executions = [started(world).id for _ in range(EXECUTIONS)]
    for number in (1, 2):
        subscribe(world, f"https://hooks{number}.example.com/", events=["note"])
    with Workers(sessions, wires, receiver).at_work():
        happen(world, sessions, wires, executions)
        wait_until_nothing_is_left(sessions)
    expected: dict[tuple[UUID, UUID], list[int]] = defaultdict(list)
    for delivery in deliveries(world):
        assert delivery.status == "delivered"
        expected[delivery.subscription_id, delivery.execution_id].append(delivery.position)
    assert {len(positions) for positions in expected.values()} == {NOTES}
    assert sorted(receiver.taken.values()) == sorted(expected.values())
    assert receiver.overlaps == []
    # Nothing was tried before what came before it was taken.
    assert all(one <= other for tried in receiver.tried.values() for one, other in pairwise(tried))
    assert sum(map(len, receiver.tried.values())) > 2 * EXECUTIONS * NOTES
