"""What a benchmark needs of whoever does the work."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from deploy.local.processes import living
from deploy.local.service import Service
from tests.benchmarks.stage import Room, Stage

T = TypeVar("T")

PROCESSES = 4
THREADS = 12
CHECKOUT = Path(__file__).parents[3]


class Contender(Protocol):
    """Sends a mail for each job at its due time; the mail's header says which job it is for."""

    name: str
    room: Room

    def prepare(self) -> None:
        """Make tables and queues; once."""

    def start(self) -> None:
        """Start the workers, and return when they do their work."""

    def stop(self) -> None:
        """End them; what waits goes on waiting."""

    def schedule(self, due: Sequence[float]) -> list[str]:
        """Have a mail sent at each of these times, in seconds since 1970; the names of the jobs."""

    @property
    def pids(self) -> list[int]:
        """The processes of its workers."""


def wait_until_calm(pids: Sequence[int], within: float = 20.0, share: float = 0.25) -> float:
    """Wait until these processes take less than this share of a core, for a second; the seconds that it took.

    A worker that has just been started reads what waits for it, and what is measured is to begin after that.
    """
    began = time.monotonic()
    while time.monotonic() - began < within:
        before = cpu_seconds(pids)
        time.sleep(1)
        if cpu_seconds(pids) - before < share:
            break
    return time.monotonic() - began


def cpu_seconds(pids: Sequence[int]) -> float:
    """The processor time of these processes until now."""
    return sum(cpu_by_pid(pids).values())


def cpu_by_pid(pids: Sequence[int]) -> dict[int, float]:
    """The same for each; without those that have ended, as sessions of Postgres do."""
    found = {}
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            found[pid] = _cpu_seconds(psutil.Process(pid))
    return found


def _cpu_seconds(process: psutil.Process) -> float:
    """Hundredths of a second, as systems tell, are too coarse for many sessions that do a little each."""
    precise = Path(f"/proc/{process.pid}/schedstat")
    if process.num_threads() == 1 and precise.exists():
        return int(precise.read_text().split()[0]) / 1e9
    times = process.cpu_times()
    return float(times.user + times.system)


def pids_of_servers(stage: Stage) -> dict[str, list[int]]:
    """The processes of Postgres, one for each session, and of RabbitMQ."""
    return {
        server.title: [process.pid for process in living(server.home, server.programs)]
        for server in (stage.stack.postgres, stage.stack.rabbitmq)
    }


def memory_mib(pids: Sequence[int]) -> float:
    """What these processes have to themselves; what they share is not counted again for each."""
    return float(sum(psutil.Process(pid).memory_full_info().uss for pid in pids)) / 2**20


class Workers:
    """Equal processes of a peer: this Python, running a module with these options."""

    def __init__(
        self,
        folder: Path,
        commands: Sequence[Sequence[str]],
        environment: Mapping[str, str],
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        everything = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin", **environment}
        everything["PYTHONWARNINGS"] = "ignore"
        self._services = [
            Service(
                f"worker {i}",
                command,
                folder=folder / str(i),
                log=folder / f"{i}.log",
                environment=everything,
                ready=ready,
            )
            for i, command in enumerate(commands)
        ]

    @property
    def pids(self) -> list[int]:
        return [pid for service in self._services for pid in service.pids]

    def start(self) -> None:
        for service in self._services:
            service.start()
        for service in self._services:
            service.wait_ready()
        wait_until_calm(self.pids)

    def stop(self) -> None:
        for service in self._services:
            service.terminate()
        for service in self._services:
            service.stop(grace=10)


def pages(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
