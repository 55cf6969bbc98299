"""The places inside recovery, and there a kill, a freeze or a cut connection: the repair is repaired.

A broker is emptied while a step waits for its time, and a runner of recovery is struck. Nobody is restarted
within a test, and nobody has to come back: another host, or the next tick, goes on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from amqp.exceptions import NotFound
from celery import Celery
from kombu.transport.native_delayed_delivery import level_name
from sqlalchemy import select

from alertops.faults import Action, Fault, Point
from alertops.models import BrokerEpoch
from alertops.services.broker_epoch import Epoch
from deploy.local.fleet import Fleet
from deploy.local.stack import Addresses
from tasks import dead_letters
from tasks.epoch import MarkerQueue
from tests.acceptance.alerts import Alert, Alerts, node, until

pytestmark = pytest.mark.acceptance

# The promise of bounded repair.
REPAIRED_WITHIN = 20.0
FILLING = (Point.AFTER_EPOCH, Point.BEFORE_FILLED)
RECOVERING = (*FILLING, Point.BEFORE_UNLOCK)
FAULTS = [Fault(point, action, 1) for point in RECOVERING for action in Action]
# The queues in which wake-ups of these tests wait: for less than eight seconds.
WAITING_ROOMS = [level_name(level) for level in range(3)]

every_action = pytest.mark.parametrize("action", list(Action))


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files that say which faults were struck: all of them, as long as nobody asks."""
    folder = tmp_path_factory.mktemp("faults")
    for fault in FAULTS:
        (folder / fault.marker(1)).touch()
    return folder


@pytest.fixture(scope="module")
def fleet_settings(struck: Path) -> Mapping[str, str]:
    return {
        "ALERTOPS_RECOVERY_TICK_SECONDS": "1",
        "ALERTOPS_RECOVERY_GRACE_SECONDS": "1",
        "ALERTOPS_FAULTS_ALLOWED": "yes",
        # A canary is published as a wake-up is, and would take the strike that is meant for one.
        "ALERTOPS_CANARY_SECONDS": "0",
        "ALERTOPS_FAULT": ",".join(f"{fault.point}:{fault.action}:1" for fault in FAULTS),
        "ALERTOPS_FAULT_ONCE": str(struck),
    }


@dataclass(frozen=True)
class Trap:
    """One fault: armed when the test says so, and then struck once."""

    fault: Fault
    file: Path

    def arm(self) -> None:
        self.file.unlink()

    @contextmanager
    def endured(self) -> Iterator[None]:
        """From when a process is struck until, if it was frozen, it wakes up."""
        until(lambda: self.file.exists() and self.file.read_text() != "", REPAIRED_WITHIN, str(self.fault))
        yield
        if self.fault.action is Action.STOP:
            os.kill(int(self.file.read_text()), signal.SIGCONT)


@pytest.fixture
def trap_of(struck: Path, fleet: Fleet) -> Iterator[Callable[[Point, Action], Trap]]:
    """Whatever becomes of the test, nobody stays frozen, and the next one starts the dead again."""
    fleet.start()
    yield lambda point, action: Trap(fault := Fault(point, action, 1), struck / fault.marker(1))
    fleet.resume()
    for fault in FAULTS:
        (struck / fault.marker(1)).touch()


@dataclass(frozen=True)
class Broker:
    """The fleet's broker, as an operator reaches it, and what the database says about it."""

    celery: Celery
    alerts: Alerts

    @property
    def epoch(self) -> Epoch:
        (row,) = self.alerts.rows(select(BrokerEpoch))
        return Epoch(row.epoch, row.began_at, row.filled_at is not None)

    def empty(self) -> None:
        """What waits is lost first, and then the marker: its absence is noticed at any time."""
        with self.celery.connection_for_write() as connection:
            channel = connection.default_channel
            for room in WAITING_ROOMS:
                channel.queue_purge(room)
            channel.queue_delete(self.epoch.marker)

    def await_filled(self) -> None:
        until(lambda: self._is_filled(self.epoch), REPAIRED_WITHIN, "the filling of the broker")

    def _is_filled(self, epoch: Epoch) -> bool:
        return epoch.filled and MarkerQueue(self.celery).exists(epoch.marker)

    @property
    def dead_letters(self) -> int:
        with self.celery.connection_for_write() as connection:
            try:
                return dead_letters.count(connection)
            except NotFound:
                return 0


@pytest.fixture
def broker(addresses: Addresses, alerts: Alerts) -> Broker:
    return Broker(Celery(broker=addresses.broker_url, set_as_current=False), alerts)


def heals(alerts: Alerts, broker: Broker, before: Epoch, alert: Alert) -> None:
    """What waits is in the broker, whose new epoch says so, and the step that waits fires in time."""
    alert.await_status("exhausted", REPAIRED_WITHIN)
    until(lambda: broker.epoch.id != before.id, REPAIRED_WITHIN, "a new epoch")
    broker.await_filled()
    assert len(alert.mails) == 1
    alerts.verify(patience=timedelta(seconds=REPAIRED_WITHIN))
    assert broker.dead_letters == 0


@every_action
@pytest.mark.parametrize("point", FILLING)
def test_emptied_broker_is_filled_by_somebody_else(
    alerts: Alerts, broker: Broker, trap_of: Callable[[Point, Action], Trap], point: Point, action: Action
) -> None:
    broker.await_filled()
    trap, before = trap_of(point, action), broker.epoch
    alert = alerts.raise_with(node(f"{point}-{action}@example.org", 2))
    trap.arm()
    broker.empty()
    with trap.endured():
        heals(alerts, broker, before, alert)


@every_action
def test_runner_that_does_not_give_its_lock_back_keeps_nobody_from_recovery(
    alerts: Alerts, broker: Broker, trap_of: Callable[[Point, Action], Trap], action: Action
) -> None:
    broker.await_filled()
    trap, before = trap_of(Point.BEFORE_UNLOCK, action), broker.epoch
    trap.arm()
    with trap.endured():
        alert = alerts.raise_with(node(f"{Point.BEFORE_UNLOCK}-{action}@example.org", 2))
        broker.empty()
        heals(alerts, broker, before, alert)
