"""Fleets side by side, in which every fault is known to all processes and disarmed.

Nearly all of the time of such a test is waiting for something to come due, so several fleets do it at once,
each on a database, a vhost and a mail server of its own. In one lane there is one case after the other: who
is struck is never another case's.

A fault is disarmed by the file that says it was struck already. A case removes the file of one; of all
processes of its fleet, the first to come by is struck.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import psutil
import requests
from sqlalchemy import select

from alertops.db import session_factory
from alertops.faults import Action, Fault, Point
from alertops.models import Execution
from deploy.local.client import Client
from deploy.local.fleet import Fleet
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import PrivateStack
from tests.acceptance.addresses import own_addresses
from tests.acceptance.alerts import Alert, Alerts, until

SEND_DEADLINE = 2
LEASE = 3
# The promise of bounded repair.
REPAIRED_WITHIN = 20.0
SETTINGS = {
    "ALERTOPS_SEND_DEADLINE_SECONDS": str(SEND_DEADLINE),
    "ALERTOPS_LEASE_MARGIN_SECONDS": str(LEASE - SEND_DEADLINE),
    "ALERTOPS_RECOVERY_TICK_SECONDS": "1",
    "ALERTOPS_RECOVERY_GRACE_SECONDS": "1",
    "ALERTOPS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "ALERTOPS_FAULTS_ALLOWED": "yes",
    # A canary is published as a wake-up is, and would take the strike that is meant for one.
    "ALERTOPS_CANARY_SECONDS": "0",
}


@dataclass(frozen=True)
class Trap:
    """One fault: armed when the case says so, and then struck once."""

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
        """The id of the process that was struck, and is dead or frozen by now, if that is the fault.

        It leaves its mark first: who starts those that are missing must not count it among the living.
        """
        until(
            lambda: self._file.exists() and self._file.read_text() != "", within, f"{self.fault} being struck"
        )
        pid = int(self._file.read_text())
        until(lambda: self._has_suffered(pid), within, f"{self.fault} taking effect on {pid}")
        return pid

    def _has_suffered(self, pid: int) -> bool:
        if self.fault.action is Action.CUT:
            return True
        try:
            status = psutil.Process(pid).status()
        except psutil.NoSuchProcess:
            return True
        return status in {psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED}

    def endure(self, is_over: Callable[[], object]) -> None:
        """The others do what they can while the struck process is dead or frozen; then it wakes up."""
        pid = self.await_struck()
        if not self.freezes:
            return
        self._lose_connections(pid)
        is_over()
        # One of the API's that was frozen for half a minute is gone: gunicorn has replaced it.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def _lose_connections(self, pid: int) -> None:
        """The broker drops a frozen process, as it does by itself after two heartbeats: 20 s saved."""
        ports = [str(c.laddr.port) for c in psutil.Process(pid).net_connections() if c.laddr]
        self.broker.ctl(
            "eval",
            '[rabbit_networking:close_connection(P, "no heartbeat") || [{pid, P}, {peer_port, Port}] <- '
            "rabbit_networking:connection_info_all([pid, peer_port]), "
            f"lists:member(Port, [{','.join(ports)}])].",
        )


@dataclass
class Lane:
    """One fleet, and the alerts of the case that is being played on it."""

    fleet: Fleet
    sink: SmtpSink
    alerts: Alerts
    struck: Path
    faults: Sequence[Fault]
    broker: RabbitMQ

    def trap(self, point: Point, action: Action) -> Trap:
        return Trap(Fault(point, action, 1), self.struck, self.broker)

    def get_ready(self) -> None:
        """Wait until all are up, and make a team."""
        self.wait_ready()
        self.alerts.client.sign_in("Operator", "operator@example.org", "a password of the tests")
        self.alerts.team_id = self.alerts.client.create_team("Team")

    @contextmanager
    def case(self) -> Iterator[None]:
        """All are up and nobody waits in a trap; whatever becomes of the case, nobody stays frozen."""
        self.start()
        self.alerts.raised.clear()
        try:
            yield
        finally:
            self.fleet.resume()
            self.disarm()

    def start(self) -> None:
        """All that do not run; does not wait."""
        for service in (*self.fleet.workers, self.fleet.api):
            service.start()

    def wait_ready(self) -> None:
        """Until all that run do their work: for a case in which a person is in time."""
        for service in (*self.fleet.workers, self.fleet.api):
            service.wait_ready()

    def disarm(self) -> None:
        """Nobody is struck from here on."""
        for fault in self.faults:
            (self.struck / fault.marker(1)).touch()


@contextmanager
def running_lane(stack: PrivateStack, name: str, faults: Sequence[Fault], folder: Path) -> Iterator[Lane]:
    """The fleet without Flower, under way; `get_ready` waits for it."""
    struck = folder / "struck"
    struck.mkdir()
    settings = {
        **SETTINGS,
        "ALERTOPS_FAULT": ",".join(f"{fault.point}:{fault.action}:1" for fault in faults),
        "ALERTOPS_FAULT_ONCE": str(struck),
    }
    with own_addresses(stack, name) as addresses, SmtpSink() as sink:
        fleet = Fleet(folder / "fleet", addresses, smtp_port=sink.port, extra=settings, events=True)
        sessions = session_factory(addresses.database_url)
        client = Client(fleet.api_url)
        lane = Lane(
            fleet, sink, Alerts(client, "", sessions, sink, _say_nothing), struck, faults, stack.rabbitmq
        )
        lane.disarm()
        try:
            lane.start()
            yield lane
        finally:
            fleet.kill()
            sessions.kw["bind"].dispose()


def _say_nothing(_sentence: str) -> None:
    """What a lane prints would be in the output of some other test; a broken promise is in the failure."""


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


def alerts_of(alerts: Alerts, flow_id: str) -> list[Alert]:
    """What the flow was raised for, whoever was told of it: once, or again when the first was over.

    A caller who is slow to come back, on a machine that is busy, may find that nobody is told any more.
    """
    query = select(Execution).where(Execution.flow_id == UUID(flow_id)).order_by(Execution.created_at)
    until(lambda: bool(alerts.rows(query)), REPAIRED_WITHIN, "an execution")
    executions = alerts.rows(query)
    for earlier, later in pairwise(executions):
        assert earlier.ended_at <= later.created_at, "one alert has two executions"
    found = [Alert(execution.id, alerts) for execution in executions]
    alerts.raised.extend(alert for alert in found if alert not in alerts.raised)
    return found


def await_exhausted(alerts: Alerts, flow_id: str) -> None:
    """All that the flow was raised for."""
    for alert in alerts_of(alerts, flow_id):
        alert.await_status("exhausted", REPAIRED_WITHIN)
