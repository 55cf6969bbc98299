"""Every place of the protocol, and there a kill, a freeze or a cut connection: each promise is kept.

All faults are known to all processes of the fleet and disarmed, by the files that say they were struck
already. A test removes the file of one; of all processes, the first to come by is struck. Nobody is
restarted within a test: what the struck process left is for the others to finish.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import requests
from sqlalchemy import select

from alertops.faults import Action, Fault, Point
from alertops.models import Execution
from deploy.local.fleet import Fleet
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.smtp_sink import Refuse, SmtpSink
from deploy.local.stack import PrivateStack
from tests.acceptance.alerts import Alert, Alerts, measured, node, until

pytestmark = pytest.mark.acceptance

SEND_DEADLINE = 2
LEASE = 3
# The promise of bounded repair.
REPAIRED_WITHIN = 20.0
FAULTS = [Fault(point, action, 1) for point in Point for action in Action]

RAISING = (Point.BEFORE_START, Point.AFTER_START)
REPEATING = (Point.BEFORE_JOIN, Point.AFTER_JOIN)
DISPATCHING = (Point.BEFORE_PUBLISH, Point.AFTER_PUBLISH, Point.BEFORE_MARK, Point.AFTER_MARK)
FIRING = (Point.BEFORE_FIRE, Point.AFTER_FIRE)
SENDING = (
    Point.BEFORE_CLAIM,
    Point.AFTER_CLAIM,
    Point.AFTER_OPEN,
    Point.BEFORE_TRANSMIT_MARK,
    Point.AFTER_TRANSMIT_MARK,
    Point.AFTER_TRANSMIT,
    Point.BEFORE_OUTCOME,
    Point.AFTER_OUTCOME,
)
CLOSING = (Point.BEFORE_CLOSE, Point.AFTER_CLOSE)
ANSWERING = (Point.BEFORE_ANSWER, Point.AFTER_ANSWER)

# Frozen here, a process holds the execution's row lock, and the others can only wait for it.
LOCKING = {point for point in Point if point.startswith("before_")} - {*DISPATCHING}

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
        "ALERTOPS_SEND_DEADLINE_SECONDS": str(SEND_DEADLINE),
        "ALERTOPS_LEASE_MARGIN_SECONDS": str(LEASE - SEND_DEADLINE),
        "ALERTOPS_RECOVERY_TICK_SECONDS": "1",
        "ALERTOPS_RECOVERY_GRACE_SECONDS": "1",
        "ALERTOPS_FAULTS_ALLOWED": "yes",
        "ALERTOPS_FAULT": ",".join(f"{fault.point}:{fault.action}:1" for fault in FAULTS),
        "ALERTOPS_FAULT_ONCE": str(struck),
    }


@dataclass(frozen=True)
class Trap:
    """One fault: armed when the test says so, and then struck once."""

    fault: Fault
    folder: Path
    broker: RabbitMQ

    @property
    def _file(self) -> Path:
        return self.folder / self.fault.marker(1)

    @property
    def freezes(self) -> bool:
        return self.fault.action is Action.STOP

    def arm(self) -> None:
        self._file.unlink()

    def await_struck(self, within: float = REPAIRED_WITHIN) -> int:
        """The id of the process that was struck."""
        until(
            lambda: self._file.exists() and self._file.read_text() != "", within, f"{self.fault} being struck"
        )
        return int(self._file.read_text())

    def lose_connections(self, pid: int) -> None:
        """The broker drops a frozen process, as it does by itself after two heartbeats: 20 s saved."""
        ports = [str(c.laddr.port) for c in psutil.Process(pid).net_connections() if c.laddr]
        self.broker.ctl(
            "eval",
            '[rabbit_networking:close_connection(P, "no heartbeat") || [{pid, P}, {peer_port, Port}] <- '
            "rabbit_networking:connection_info_all([pid, peer_port]), "
            f"lists:member(Port, [{','.join(ports)}])].",
        )


@pytest.fixture
def trap_of(stack: PrivateStack, struck: Path, fleet: Fleet) -> Iterator[Callable[[Point, Action], Trap]]:
    """Arms traps; whatever becomes of the test, nobody stays frozen, and the dead are started again."""
    fleet.start()
    yield lambda point, action: Trap(Fault(point, action, 1), struck, stack.rabbitmq)
    fleet.resume()
    for fault in FAULTS:
        (struck / fault.marker(1)).touch()


# How long after its due time the latest step fired, by what was done to the process.
LATEST: dict[Action, list[float]] = defaultdict(list)


@pytest.fixture(scope="module", autouse=True)
def tell_lateness() -> Iterator[None]:
    yield
    for action, latest in LATEST.items():
        measured(f"faults: {action} at {len(latest)} places; the latest step was {max(latest):.1f} s late")


def verify(alerts: Alerts, action: Action, at_least: int) -> None:
    verdict = alerts.verify(patience=timedelta(seconds=REPAIRED_WITHIN), at_least=at_least)
    LATEST[action].append(max(verdict.lateness))


def persistently(ask: Callable[[], object]) -> None:
    """Ask as a monitoring system does: again, until the answer is 2xx."""

    def answered() -> bool:
        try:
            ask()
        except requests.RequestException:
            return False
        return True

    until(answered, REPAIRED_WITHIN, "a good answer")


def let_time_pass(alerts: Alerts, seconds: float) -> None:
    end = alerts.now() + timedelta(seconds=seconds)
    until(lambda: alerts.now() > end, seconds + 2)


def endure(trap: Trap, alerts: Alerts, is_over: Callable[[], object]) -> None:
    """The others do what they can while the struck process is dead or frozen; then it wakes up."""
    pid = trap.await_struck()
    if not trap.freezes:
        return
    trap.lose_connections(pid)
    if trap.fault.point in LOCKING:
        let_time_pass(alerts, LEASE)
    else:
        is_over()
    os.kill(pid, signal.SIGCONT)


def alert_of(alerts: Alerts, flow_id: str) -> Alert:
    """The one execution of the flow, whoever was told of it."""
    query = select(Execution.id).where(Execution.flow_id == UUID(flow_id))
    until(lambda: bool(alerts.rows(query)), REPAIRED_WITHIN, "an execution")
    (id_,) = alerts.rows(query)
    alert = Alert(id_, alerts)
    if alert not in alerts.raised:
        alerts.raised.append(alert)
    return alert


def two_nodes(alerts: Alerts, name: str) -> str:
    return alerts.flow(node(f"{name}-1@example.org", 1), node(f"{name}-2@example.org", 1))


@every_action
@pytest.mark.parametrize("point", RAISING + DISPATCHING)
def test_alert_is_raised_once(
    alerts: Alerts, trap_of: Callable[[Point, Action], Trap], point: Point, action: Action
) -> None:
    trap = trap_of(point, action)
    flow = two_nodes(alerts, f"raise-{point}-{action}")
    trap.arm()
    with ThreadPoolExecutor(1) as caller:
        told = caller.submit(
            persistently, lambda: alerts.client.trigger(flow, "Disk is full", dedup_key="disk")
        )
        endure(trap, alerts, lambda: alert_of(alerts, flow).await_status("exhausted", REPAIRED_WITHIN))
        told.result()
    alert_of(alerts, flow).await_status("exhausted", REPAIRED_WITHIN)
    verify(alerts, action, at_least=2)


@every_action
@pytest.mark.parametrize("point", REPEATING)
def test_repeated_alert_joins_the_open_one(
    alerts: Alerts, trap_of: Callable[[Point, Action], Trap], point: Point, action: Action
) -> None:
    trap = trap_of(point, action)
    flow = two_nodes(alerts, f"{point}-{action}")

    def ask() -> str:
        return alerts.client.trigger(flow, "Disk is full", dedup_key="disk")

    ask()
    trap.arm()
    with ThreadPoolExecutor(1) as caller:
        told = caller.submit(persistently, ask)
        endure(trap, alerts, lambda: alert_of(alerts, flow).await_status("exhausted", REPAIRED_WITHIN))
        told.result()
    alert = alert_of(alerts, flow)
    alert.await_status("exhausted", REPAIRED_WITHIN)
    assert alert.execution.alert_count >= 2
    verify(alerts, action, at_least=2)


@every_action
@pytest.mark.parametrize("point", DISPATCHING + FIRING + SENDING)
def test_escalation_goes_on(
    alerts: Alerts,
    sink: SmtpSink,
    trap_of: Callable[[Point, Action], Trap],
    point: Point,
    action: Action,
) -> None:
    trap = trap_of(point, action)
    name = f"{point}-{action}"
    # The first outcome is a failure, so that something follows from it.
    sink.behave(f"{name}-1@example.org", Refuse(451, at="data", times=1))
    alert = alerts.raise_(two_nodes(alerts, name))
    trap.arm()
    endure(trap, alerts, lambda: alert.await_status("exhausted", REPAIRED_WITHIN))
    alert.await_status("exhausted", REPAIRED_WITHIN)
    assert len(alert.fired) == 2
    assert {mail.rcpt_to[0] for mail in alert.mails} == {f"{name}-1@example.org", f"{name}-2@example.org"}
    verify(alerts, action, at_least=2)


@every_action
@pytest.mark.parametrize("point", CLOSING)
def test_attempt_that_is_held_escalates(
    alerts: Alerts, trap_of: Callable[[Point, Action], Trap], fleet: Fleet, point: Point, action: Action
) -> None:
    flow = alerts.flow(
        node(f"{point}-{action}@example.org", 0, on_unknown="hold"),
        node(f"{point}-{action}-2@example.org", 600),
    )
    first, trap = trap_of(Point.AFTER_TRANSMIT_MARK, Action.KILL), trap_of(point, action)
    first.arm()
    trap.arm()
    alert = alerts.raise_(flow)
    first.await_struck()
    fleet.start()
    endure(trap, alerts, lambda: alert.await_status("exhausted", REPAIRED_WITHIN))
    alert.await_status("exhausted", REPAIRED_WITHIN)
    assert [attempt.status for attempt in alert.attempts] == ["unknown", "delivered"]
    verify(alerts, action, at_least=2)


@every_action
@pytest.mark.parametrize("point", ANSWERING)
def test_answer_silences(
    alerts: Alerts, trap_of: Callable[[Point, Action], Trap], point: Point, action: Action
) -> None:
    trap = trap_of(point, action)
    delay = LEASE + 3 if trap.freezes else 3
    alert = alerts.raise_with(node(f"{point}-{action}@example.org", 0), node("never@example.org", delay))
    alert.await_delivered(1, within=REPAIRED_WITHIN)
    trap.arm()
    with ThreadPoolExecutor(1) as person:
        told = person.submit(persistently, alert.acknowledge)
        endure(trap, alerts, lambda: alert.await_status("acknowledged", within=2))
        told.result()
    assert alert.execution.status == "acknowledged"
    until(lambda: alerts.now() > alert.steps[1].due_at, within=delay + 2)
    assert len(alert.mails) == 1
    verify(alerts, action, at_least=1)


def test_every_point_has_its_test() -> None:
    assert {*RAISING, *REPEATING, *DISPATCHING, *FIRING, *SENDING, *CLOSING, *ANSWERING} == set(Point)
