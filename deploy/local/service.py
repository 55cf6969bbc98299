"""A program of AlertOps as a process of its own: started, awaited, and hurt in the ways tests ask for.

Each service works in a folder of its own, and by that it is recognised (see `processes`): whoever knows
the folder can find, pause or stop it, also from another command, and no stranger is ever signalled.
A folder above several services stands for all of them.
"""

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from deploy.local import processes
from deploy.local.account import our_own
from deploy.local.errors import LocalStackError

# The names under which the interpreter of a virtual environment runs, whichever of them was called.
PYTHONS = frozenset({"python", "python3", "python{}.{}".format(*sys.version_info), "Python"})

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
APPEAR_SECONDS = 5.0
LOG_TAIL = 20


class Processes:
    """The Python processes that work in a folder or below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._living()]

    @property
    def running(self) -> bool:
        return bool(self._living())

    def stop(self, grace: float = STOP_SECONDS) -> None:
        """Ask them to finish what they are at and leave (SIGTERM); after `grace` seconds, kill them."""
        self.terminate()
        processes.gone(self.folder, PYTHONS, within=grace)
        self.kill()

    def terminate(self) -> None:
        """Ask them to leave, and do not wait. One that was paused is woken, since it could not hear it."""
        living = self._living()
        processes.send(signal.SIGTERM, processes.leaders(living))
        processes.send(signal.SIGCONT, living)

    def kill(self) -> None:
        """SIGKILL, as if the machine had lost its power; none of them is alive after."""
        deadline = time.monotonic() + STOP_SECONDS
        while living := self._living():
            if time.monotonic() > deadline:
                raise LocalStackError(f"These processes in {self.folder} do not end: {self.pids}.")
            processes.send(signal.SIGKILL, living)
            time.sleep(processes.POLL_SECONDS)

    def pause(self) -> None:
        """SIGSTOP: they hold what they hold, and do nothing."""
        processes.send(signal.SIGSTOP, self._living())

    def resume(self) -> None:
        """SIGCONT: they go on as if no time had passed."""
        processes.send(signal.SIGCONT, self._living())

    def _living(self) -> list[psutil.Process]:
        return processes.living(self.folder, PYTHONS)


class Service(Processes):
    """One program, run by this Python: `python -m <command>`, with its output appended to `log`.

    `environment` is all that it gets. `ready` says whether it does its work; it may take a second to
    answer, and must not raise.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
        ready: Callable[[], bool],
    ) -> None:
        super().__init__(folder)
        self.name = name
        self.command = command
        self.log = log
        self.environment = environment
        self.ready = ready

    @property
    def pid(self) -> int:
        """The process that was started, not one of its children."""
        leaders = processes.leaders(self._living())
        if not leaders:
            raise LocalStackError(f"{self.name} is not running. {self._tail()}")
        pid: int = leaders[0].pid
        return pid

    def start(self) -> None:
        """Start it, unless it is running; does not wait until it is ready."""
        if self.running:
            return
        for folder in (self.folder, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        processes.launch(
            [sys.executable, "-m", *self.command],
            folder=self.folder,
            log=self.log,
            account=our_own(),
            environment=self.environment,
        )
        # Until the shell in between has become Python, nobody would recognise it.
        deadline = time.monotonic() + APPEAR_SECONDS
        while not self.running:
            if time.monotonic() > deadline:
                raise LocalStackError(f"{self.name} did not start. {self._tail()}")
            time.sleep(0.01)

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Wait until it does its work; LocalStackError with the end of its log when it will not."""
        deadline = time.monotonic() + timeout
        while not self.ready():
            if not self.running:
                raise LocalStackError(f"{self.name} has ended. {self._tail()}")
            if time.monotonic() > deadline:
                raise LocalStackError(f"{self.name} is not ready after {timeout:g} s. {self._tail()}")
            time.sleep(processes.POLL_SECONDS)

    def restart(self) -> None:
        """Stop and start; does not wait until it is ready."""
        self.stop()
        self.start()

    def log_text(self) -> str:
        """Everything that it has said, also in earlier lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _tail(self) -> str:
        lines = self.log_text().splitlines()[-LOG_TAIL:]
        return f"The end of its log {self.log}:\n" + "\n".join(f"    {line}" for line in lines)
