"""What Postgres and RabbitMQ have in common: coming up, going down, and being cleaned up after."""

import shutil
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from deploy.local import processes
from deploy.local.account import Account, make_private_folder, reachable_home
from deploy.local.errors import LocalStackError
from deploy.local.identity import Identity
from deploy.local.progress import Report, silent


class Server(ABC):
    """A server of one stack. Its data, port and password stay the same from start to start.

    Whoever calls start, stop, kill or remove sees to it that nobody else does so at the same time
    (`PrivateStack` does, also between processes).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    main_program: ClassVar[str]
    programs: ClassVar[frozenset[str]]
    polite_signal: ClassVar[signal.Signals]
    not_ready_yet: ClassVar[tuple[type[Exception], ...]]

    start_seconds = 60.0
    stop_seconds = 30.0
    vanish_seconds = 5.0  # without a process; on a loaded machine the start script takes its time

    def __init__(self, root: Path, report: Report = silent) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self._report = report
        self._file = self.root / f"{self.name}.json"

    @property
    @abstractmethod
    def account(self) -> Account:
        """Whom the server runs as. Asked anew each time: installing it may bring an account of its own."""

    @property
    def identity(self) -> Identity | None:
        """What the stack remembers of this server; read anew, since another process may have started it."""
        return Identity.read(self._file, self.root)

    @property
    def home(self) -> Path:
        """The folder with the server's data and log, in which its processes work."""
        identity = self.identity
        return Path(identity.home) if identity else reachable_home(self.root, self.name, self.account)

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    @abstractmethod
    def url(self) -> str:
        """The address for clients; raises LocalStackError when the server was never started."""

    @abstractmethod
    def _probe(self) -> None:
        """Connect as a client would; raises one of `not_ready_yet` when that fails."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the home complete; nothing of the server is alive then."""

    @abstractmethod
    def _launch(self) -> None:
        """Start the server's processes without waiting for them."""

    def start(self) -> None:
        """Come up, on the same port with the same data as before; does nothing when already up."""
        if self.is_running():
            return
        self._report(f"Starting {self.title} ...")
        self.stop()  # what an earlier crash has left half alive
        identity = self.identity
        if identity is None:
            self._erase()  # without its password, data is of no use
            identity = Identity.new(self.root, self.home)
        identity.with_free_ports(self.port_names).write(self._file)
        make_private_folder(self.home, self.account)
        self._prepare()
        self._launch()
        self._await_ready()

    def stop(self) -> None:
        """Go down in good order, or by force when that takes too long; nothing of it is alive after."""
        mains = processes.living(self.home, {self.main_program})
        if mains:
            self._report(f"Stopping {self.title} ...")
            processes.send(self.polite_signal, processes.leaders(mains))
            processes.gone(self.home, {self.main_program}, within=self.stop_seconds)
        self.kill()

    def kill(self) -> None:
        """Go down the hard way, as if the power had failed: SIGKILL to every process of the server."""
        deadline = time.monotonic() + self.stop_seconds
        while remaining := processes.living(self.home, self.programs):
            if time.monotonic() > deadline:
                pids = ", ".join(str(process.pid) for process in remaining)
                raise LocalStackError(f"{self.title} does not end: have a look at the processes {pids}.")
            processes.send(signal.SIGKILL, remaining)
            time.sleep(processes.POLL_SECONDS)

    def remove(self) -> None:
        """Stop, and forget the data, the password and the ports."""
        self.stop()
        self._erase()
        self._file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether the server is alive and lets a client in."""
        if self.identity is None or not processes.living(self.home, {self.main_program}):
            return False
        try:
            self._probe()
        except self.not_ready_yet:
            return False
        return True

    def _known(self) -> Identity:
        identity = self.identity
        if identity is None:
            raise LocalStackError(f"{self.title} has not been started: run 'python -m deploy.local up'.")
        return identity

    def _erase(self) -> None:
        if self.home.exists():
            make_private_folder(self.home, self.account)  # refuses what is not ours
            shutil.rmtree(self.home)

    def _await_ready(self) -> None:
        started = last_alive = time.monotonic()
        while True:
            try:
                self._probe()
            except self.not_ready_yet as error:
                now = time.monotonic()
                if processes.living(self.home, {self.main_program}):
                    last_alive = now
                if now - last_alive > self.vanish_seconds or now - started > self.start_seconds:
                    raise self._did_not_start(error) from error
            else:
                return
            time.sleep(processes.POLL_SECONDS)

    def _did_not_start(self, error: Exception) -> LocalStackError:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return LocalStackError(
            f"{self.title} did not start ({str(error).strip()}). The end of its log {self.log}:\n"
            + "\n".join(f"    {line}" for line in lines[-15:])
            + "\nTry again; if that does not help, 'python -m deploy.local down --remove' "
            "deletes its data, and the next 'up' starts afresh."
        )
