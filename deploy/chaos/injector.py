"""Carries a schedule of faults out, and logs each: when it began, when it was over, what it was."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.chaos.faults import INJECTIONS, resources_of
from deploy.chaos.schedule import PlannedFault
from deploy.chaos.system import System
from deploy.local.progress import Report


@dataclass(frozen=True)
class Fault:
    """A fault that was done. `error` says why it did not work as planned, if it did not."""

    kind: str
    target: str
    began_at: datetime
    ended_at: datetime
    error: str = ""

    def __str__(self) -> str:
        took = (self.ended_at - self.began_at).total_seconds()
        return f"{self.began_at:%H:%M:%S} {self.kind} ({self.target}), over after {took:.1f} s{self.error}"


class Injector:
    """Does faults to a system; several at a time, but one at a time to the same thing."""

    def __init__(self, system: System, report: Report) -> None:
        self._system = system
        self._report = report
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.faults: list[Fault] = []

    def burst(self, planned: list[PlannedFault]) -> None:
        """Do these, each at its time or when its target is free; returns when all of them are over."""
        began = time.monotonic()
        with ThreadPoolExecutor(max_workers=max(1, len(planned))) as pool:
            for fault in planned:
                time.sleep(max(0.0, began + fault.after - time.monotonic()))
                pool.submit(self._do, fault)

    def _do(self, planned: PlannedFault) -> None:
        with ExitStack() as held:
            for resource in sorted(resources_of(planned)):
                held.enter_context(self._locks[resource])
            began_at = datetime.now(UTC)
            error = ""
            try:
                INJECTIONS[planned.kind](self._system, planned)
            except Exception as trouble:  # a fault that does not work must not end the run
                error = f"; not as planned: {type(trouble).__name__}: {trouble}".partition("\n")[0]
            fault = Fault(planned.kind, planned.target, began_at, datetime.now(UTC), error)
        self.faults.append(fault)
        self._report(str(fault))
