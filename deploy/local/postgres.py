"""The private Postgres of a stack."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from deploy.local import binaries, databases, ports, processes
from deploy.local.account import Account, unprivileged
from deploy.local.errors import LocalStackError
from deploy.local.server import Server

USER = DATABASE = "alertops"

SETTINGS = {
    "listen_addresses": ports.ADDRESS,
    # No socket file: its path may have 107 characters at most, and a checkout may be deeper than that.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # Said although they are the defaults: a test or benchmark that gives up durability measures nothing.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


class Postgres(Server):
    """A Postgres server with its own data folder, on a port of 127.0.0.1, with a password of its own."""

    name = "postgres"
    title = "Postgres"
    port_names = ("sql",)
    main_program = "postgres"
    programs = frozenset({"postgres", "initdb"})
    polite_signal = signal.SIGINT  # "fast shutdown": ends the sessions and writes a checkpoint
    not_ready_yet = (psycopg2.OperationalError,)

    @property
    def account(self) -> Account:
        return unprivileged()

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the database `alertops`."""
        identity = self._known()
        return (
            f"postgresql+psycopg2://{USER}:{identity.password}@{ports.ADDRESS}:{identity.ports['sql']}"
            f"/{DATABASE}"
        )

    def start(self) -> None:
        """Come up, with the database `alertops` in place."""
        super().start()
        self.create_database(DATABASE)

    def create_database(self, name: str) -> str:
        """Make an empty database unless it exists; returns its address."""
        return databases.create_database(self.url, name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, whoever is connected to it."""
        databases.drop_database(self.url, name)

    def _probe(self) -> None:
        databases.check_server(self.url)

    def _prepare(self) -> None:
        # Nothing of ours is alive, so this file is stale. Its pid may belong to somebody else by now,
        # and Postgres would refuse to start for fear of that process.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        if not self.data.exists():
            self._init()

    def _init(self) -> None:
        """Make the data folder under another name first: one that has its name is always complete."""
        unfinished = self.home / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        with tempfile.NamedTemporaryFile("w", dir=self.home, prefix="password.") as password:
            password.write(self._known().password)
            password.flush()
            self.account.own(Path(password.name))
            self._run_initdb(unfinished, password.name)
        unfinished.rename(self.data)

    def _run_initdb(self, folder: Path, password_file: str) -> None:
        done = subprocess.run(
            [
                *(binaries.postgres_folder() / "initdb", "--pgdata", folder, "--username", USER),
                *("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--pwfile", password_file),
            ],
            check=False,
            cwd=self.home,
            capture_output=True,
            text=True,
            **self.account.keywords(),
        )
        if done.returncode != 0:
            raise LocalStackError(f"Postgres could not make its data folder: {done.stderr.strip()}")

    def _launch(self) -> None:
        settings = SETTINGS | {"port": str(self._known().ports["sql"])}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        processes.launch(
            [binaries.postgres_folder() / "postgres", "-D", self.data, *options],
            folder=self.data,
            log=self.log,
            account=self.account,
        )
