"""Faults at exactly those places of the protocol where they hurt most: see `alertops/faults.py`.

A process that is killed at any time is hardly ever between a commit and what follows it. Here all
processes know every place, and each is disarmed by a file that says it was struck already. Removing the
file arms it; whoever comes by first is struck.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from alertops.faults import Action, Fault, Point
from deploy.chaos.schedule import STRIKES, PlannedFault
from deploy.chaos.system import System, revive

# Whether anybody comes by depends on what there is to do.
COMES_BY_SECONDS = 5.0
POLL_SECONDS = 0.02


def killed_at_a_point(system: System, planned: PlannedFault) -> None:
    """The first two who come by, so perhaps both hosts; they are started again, as by a supervisor."""
    point = Point(planned.target)
    if not _strike(system, Fault(point, Action.KILL, STRIKES)):
        return
    time.sleep(planned.seconds)
    for worker in system.fleet.workers:
        if not worker.running:
            revive(worker)
    system.fleet.api.wait_ready()


def frozen_at_a_point(system: System, planned: PlannedFault) -> None:
    """Perhaps for longer than a lease: when it wakes, somebody else has taken over, and it does not know."""
    for frozen in _strike(system, Fault(Point(planned.target), Action.STOP, 1)):
        time.sleep(planned.seconds)
        with suppress(psutil.NoSuchProcess):  # another fault has killed it meanwhile
            psutil.Process(frozen).send_signal(signal.SIGCONT)


def _strike(system: System, fault: Fault) -> list[int]:
    """Arm it, and wait until as many came by as it is for, or the time is over; returns who was struck."""
    markers = [system.struck / fault.marker(number) for number in range(1, fault.times + 1)]
    for marker in markers:
        marker.unlink()
    _until(lambda: all(_struck(marker) for marker in markers))
    struck = []
    for marker in markers:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            _until(lambda: _struck(marker))  # noqa: B023  called before the next turn
            struck.append(int(marker.read_text()))
    return struck


def _struck(marker: Path) -> bool:
    """Whether somebody came by, and has put down who."""
    return marker.exists() and bool(marker.read_text())


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + COMES_BY_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
