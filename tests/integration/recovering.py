"""What the tests of recovery share: a broker's markers, and recovery that runs against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import BrokerUnavailableError
from alertops.services.recover import Recovered, recover
from tests.integration.world import World

Sessions = sessionmaker[Session]
Recover = Callable[[], Recovered | None]
NOTHING = Recovered()


@dataclass
class Markers:
    """The markers of a broker that does as told."""

    names: list[str] = field(default_factory=list)
    down: bool = False
    on_exists: Callable[[], object] = lambda: None
    on_declare: Callable[[], object] = lambda: None

    def exists(self, name: str) -> bool:
        self.on_exists()
        self._answer()
        return name in self.names

    def declare(self, name: str) -> None:
        self.on_declare()
        self._answer()
        self.names.append(name)

    def wipe(self) -> None:
        self.names.clear()

    def _answer(self) -> None:
        if self.down:
            raise BrokerUnavailableError("connection refused")


@dataclass
class Queues:
    """Queues as long as a test says; unless it does, there is a backlog everywhere."""

    ready_in: dict[str, int] = field(
        default_factory=lambda: {
            "fire": 1000,
            "send.email": 1000,
            "send.letters": 1000,
            "send.events": 1000,
        }
    )
    on_ask: Callable[[], object] = lambda: None

    def ready(self) -> Mapping[str, int]:
        self.on_ask()
        return self.ready_in


def runner(sessions: Sessions, world: World, markers: Markers, queues: Queues | None = None) -> Recover:
    queues = queues or Queues()
    return lambda: recover(sessions, world.dispatcher, markers, queues, world.timing)
