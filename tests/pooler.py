"""A real PgBouncer in transaction mode before a database, on a port of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

from deploy.local import binaries, ports
from deploy.local.account import unprivileged

CONFIGURATION = """
[databases]
{database} = host={host} dbname={database} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
"""
START_SECONDS = 10


class Pooler:
    """Up inside; `url` is the database through it. It has `pool_size` connections to the server at most."""

    def __init__(self, database_url: str, *, pool_size: int) -> None:
        self._url, self._port = make_url(database_url), ports.choose()
        self._pool_size = pool_size
        self._account = unprivileged()

    @property
    def url(self) -> str:
        return self._url.set(host="127.0.0.1", port=self._port).render_as_string(hide_password=False)

    def start(self) -> None:
        """Return when it takes connections."""
        self._process = subprocess.Popen(  # noqa: S603  our own words
            [binaries.server_program(binaries.POOLER), "-q", self._folder / "pgbouncer.ini"],
            cwd=self._folder,
            stderr=subprocess.DEVNULL,
            **self._account.keywords(),
        )
        deadline = time.monotonic() + START_SECONDS
        while not ports.is_accepting(self._port):
            assert self._process.poll() is None, "PgBouncer ended at once"
            assert time.monotonic() < deadline, "PgBouncer does not come up"
            time.sleep(0.02)

    def kill(self) -> None:
        """It is gone, and all connections with it."""
        self._process.kill()
        self._process.wait(START_SECONDS)

    def __enter__(self) -> Self:
        binaries.ensure_installed([binaries.POOLER])
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer."))
        file = self._folder / "pgbouncer.ini"
        file.write_text(
            CONFIGURATION.format(
                database=self._url.database,
                host=self._url.host,
                port=self._url.port,
                user=self._url.username,
                password=self._url.password,
                listen_port=self._port,
                pool_size=self._pool_size,
            )
        )
        for path in (self._folder, file):
            self._account.own(path)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)
