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

import psutil

from alertops.faults import Action, Fault, Point
from deploy.chaos.schedule import PlannedFault
from deploy.chaos.system import System, revive

# Whether anybody comes by depends on what there is to do.
COMES_BY_SECONDS = 5.0
POLL_SECONDS = 0.02


def killed_at_a_point(system: System, planned: PlannedFault) -> None:
    """Whoever was killed is started again, as by a supervisor."""
    if _strike(system, Fault(Point(planned.target), Action.KILL, 1)) is None:
        return
    time.sleep(planned.seconds)
    for worker in system.fleet.workers:
        if not worker.running:
            revive(worker)
    system.fleet.api.wait_ready()


def frozen_at_a_point(system: System, planned: PlannedFault) -> None:
    """For longer than a lease, so that somebody else has taken over when it wakes, and does not know."""
    frozen = _strike(system, Fault(Point(planned.target), Action.STOP, 1))
    if frozen is None:
        return
    time.sleep(planned.seconds)
    with suppress(psutil.NoSuchProcess):  # another fault has killed it meanwhile
        psutil.Process(frozen).send_signal(signal.SIGCONT)


def _strike(system: System, fault: Fault) -> int | None:
    """Arm it, and wait until somebody came by; returns who, or None when nobody did."""
    marker = system.struck / fault.marker(1)
    marker.unlink()
    if not _until(lambda: marker.exists() and bool(marker.read_text())):
        with suppress(FileExistsError):  # somebody has just come by after all
            marker.touch(exist_ok=False)
            return None
    return int(marker.read_text())


def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + COMES_BY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
