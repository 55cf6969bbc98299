"""The private servers of a checkout, taken together."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import binaries
from deploy.local.errors import LocalStackError
from deploy.local.locks import exclusive
from deploy.local.postgres import Postgres
from deploy.local.progress import Report, silent
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.server import Server

DATABASE_VARIABLE = "ALERTOPS_DATABASE_URL"
BROKER_VARIABLE = "ALERTOPS_BROKER_URL"


@dataclass(frozen=True)
class Addresses:
    """Where the database and the broker are."""

    database_url: str
    broker_url: str

    def as_environment(self) -> dict[str, str]:
        """The variables by which AlertOps is told."""
        return {DATABASE_VARIABLE: self.database_url, BROKER_VARIABLE: self.broker_url}


class PrivateStack:
    """A Postgres and a RabbitMQ, which belong to one root folder and to nobody else.

    A server whose address is given is somebody else's: it is neither started nor stopped.
    Calls from several processes wait for each other. As a context manager, it is up inside.
    """

    def __init__(
        self,
        root: Path,
        *,
        database_url: str | None = None,
        broker_url: str | None = None,
        report: Report = silent,
    ) -> None:
        self.root = root.resolve()
        self.postgres = Postgres(self.root, report)
        self.rabbitmq = RabbitMQ(self.root, report)
        self._database_url = database_url
        self._broker_url = broker_url
        self._report = report

    @property
    def servers(self) -> list[Server]:
        """Those which are ours to start and stop."""
        ours: list[Server] = []
        if self._database_url is None:
            ours.append(self.postgres)
        if self._broker_url is None:
            ours.append(self.rabbitmq)
        return ours

    @property
    def addresses(self) -> Addresses:
        """Where to connect; raises LocalStackError when a server of ours was never started."""
        return Addresses(self._database_url or self.postgres.url, self._broker_url or self.rabbitmq.url)

    def up(self) -> Addresses:
        """Start what is not running, and return when both accept clients. Installs them where it may."""
        packages = [binaries.PACKAGES[server.name] for server in self.servers]
        binaries.ensure_installed(packages, self._report)
        self._with_each(lambda server: server.start())
        return self.addresses

    def down(self) -> None:
        """Stop both; their data, ports and passwords are kept for the next time."""
        self._with_each(lambda server: server.stop())

    def remove(self) -> None:
        """Stop both and delete their data."""
        self._with_each(lambda server: server.remove())

    def is_running(self) -> bool:
        """Whether all that is ours to start accepts clients."""
        return all(server.is_running() for server in self.servers)

    def _with_each(self, act: Callable[[Server], None]) -> None:
        """Do it to both servers at the same time; the first error is raised when both are done."""
        self.root.mkdir(parents=True, exist_ok=True)
        with exclusive(self.root, self._report), ThreadPoolExecutor() as pool:
            doing = [pool.submit(act, server) for server in self.servers]
        for done in doing:
            done.result()

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:  # also when interrupted: what has started is not left behind
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()


def stack_from_environment(root: Path, report: Report = silent) -> PrivateStack:
    """The stack of a root; servers which the environment names are used instead of private ones."""
    private = PrivateStack(root)
    return PrivateStack(
        root,
        database_url=_named_elsewhere(DATABASE_VARIABLE, private.postgres),
        broker_url=_named_elsewhere(BROKER_VARIABLE, private.rabbitmq),
        report=report,
    )


def _named_elsewhere(variable: str, server: Server) -> str | None:
    """The address in the environment, unless it is our own server's, told by an earlier `env`."""
    named = os.environ.get(variable)
    try:
        return named if named and named != server.url else None
    except LocalStackError:  # never started, so that the address is not ours
        return named
