"""Finds the programs of Postgres and RabbitMQ, and those that tests need, or gets them installed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from deploy.local import packages
from deploy.local.errors import LocalStackError
from deploy.local.progress import Report, silent

OLDEST_POSTGRES = 15
HOMEBREW = tuple(Path(prefix) for prefix in ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"))
POSTGRES_FOLDERS = (
    *((Path("/usr/lib/postgresql"), "*/bin"), (Path("/usr"), "pgsql-*/bin")),
    *((prefix / "opt", "postgresql@*/bin") for prefix in HOMEBREW),
)
# The rabbitmq-server on Debian's PATH is a wrapper that changes to the system's rabbitmq user:
# the plain script comes first.
RABBITMQ_FOLDERS = (Path("/usr/lib/rabbitmq/bin"), *(prefix / "opt/rabbitmq/sbin" for prefix in HOMEBREW))


def postgres_folder() -> Path:
    """The folder with `postgres` and `initdb`, newest version first."""
    found = [(version, folder) for folder in _postgres_candidates() if (version := _postgres_version(folder))]
    version, folder = max(found, default=(0, Path()))
    if version >= OLDEST_POSTGRES:
        return folder
    if found:
        raise LocalStackError(
            f"Postgres {version} is too old: install {OLDEST_POSTGRES} or newer "
            "from https://www.postgresql.org/download/ and try again."
        )
    raise LocalStackError(f"Postgres is not installed: run '{_command('postgresql')}' and try again.")


def rabbitmq_folder() -> Path:
    """The folder with the plain scripts `rabbitmq-server` and `rabbitmqctl`."""
    for folder in (*RABBITMQ_FOLDERS, *_on_path("rabbitmq-server")):
        if (folder / "rabbitmq-server").is_file():
            return folder
    raise LocalStackError(f"RabbitMQ is not installed: run '{_command('rabbitmq-server')}' and try again.")


def epmd() -> Path:
    """Erlang's port mapper, which comes with RabbitMQ."""
    for folder in (*_on_path("epmd"), Path("/usr/lib/erlang/bin"), *(prefix / "bin" for prefix in HOMEBREW)):
        if (folder / "epmd").is_file():
            return folder / "epmd"
    raise LocalStackError("Erlang's epmd is not on the PATH: add the folder of Erlang's programs to it.")


PACKAGES = {"postgres": "postgresql", "rabbitmq": "rabbitmq-server"}
"""The package that brings each server."""

CHECKERS = ("spin", "gcc")
"""The packages that the model of the protocol is checked with."""

PROMETHEUS = "prometheus"
"""The package with `promtool`, which tries the rules of alerts about AlertOps itself."""

POOLER = "pgbouncer"
"""The package of the connection pooler that tests put between the API and Postgres."""

BROWSER = "chromium"
"""The package of the browser that tests look at pages with."""

PROXY = "nginx"
"""The package of the proxy that tests put before the API."""

MONITOR = "prometheus-alertmanager"
"""The package of the monitoring system that tests have send its alerts."""


def program(name: str) -> Path:
    """A program on the PATH that has the name of its package."""
    found = shutil.which(name)
    if found is None:
        raise LocalStackError(f"{name} is not installed: run '{_command(name)}' and try again.")
    return Path(found)


def promtool() -> Path:
    """Prometheus' tool for rules."""
    found = shutil.which("promtool")
    if found is None:
        raise LocalStackError(f"promtool is not installed: run '{_command(PROMETHEUS)}' and try again.")
    return Path(found)


def server_program(name: str) -> Path:
    """A server's program that has the name of its package; Debian puts it where only root's PATH leads."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise LocalStackError(f"{name} is not installed: run '{_command(name)}' and try again.")
    return Path(found)


def alertmanager() -> Path:
    """Prometheus' Alertmanager, which is called after Prometheus by Debian alone."""
    found = shutil.which(MONITOR) or shutil.which("alertmanager")
    if found is None:
        raise LocalStackError(f"Alertmanager is not installed: run '{_command(MONITOR)}' and try again.")
    return Path(found)


def c_headers() -> Path:
    """The headers of the C library, without which a compiler is of little use; macOS has them elsewhere."""
    found = Path("/usr/include/stdio.h")
    if not found.is_file() and sys.platform != "darwin":
        raise LocalStackError(
            f"The C library's headers are not installed: run '{_command('libc6-dev')}' and try again."
        )
    return found.parent


FINDERS: dict[str, Callable[[], Path]] = {
    "postgresql": postgres_folder,
    "rabbitmq-server": rabbitmq_folder,
    **{name: partial(program, name) for name in CHECKERS},
    "libc6-dev": c_headers,
    PROMETHEUS: promtool,
    POOLER: partial(server_program, POOLER),
    PROXY: partial(server_program, PROXY),
    BROWSER: partial(program, BROWSER),
    MONITOR: alertmanager,
}
"""How to find what each package brings."""


def ensure_installed(wanted: Sequence[str], report: Report = silent) -> None:
    """Make sure that the packages' programs are there; install them where we may.

    Raises LocalStackError with the command to run where we may not.
    """
    if _missing(wanted) and packages.can_install():
        packages.install(lambda: _missing(wanted), report)
    for package in wanted:
        FINDERS[package]()


def _missing(wanted: Sequence[str]) -> list[str]:
    return [package for package in wanted if not _is_there(FINDERS[package])]


def _is_there(find: Callable[[], Path]) -> bool:
    try:
        find()
    except LocalStackError:
        return False
    return True


def _postgres_candidates() -> Iterator[Path]:
    for base, pattern in POSTGRES_FOLDERS:
        yield from base.glob(pattern)
    yield from _on_path("postgres")
    pg_config = shutil.which("pg_config")
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        yield Path(answer.stdout.strip())


def _postgres_version(folder: Path) -> int:
    """The major version of the server in a folder; 0 when there is none (a client alone, say)."""
    if not all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb")):
        return 0
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"\d+", answer.stdout)
    return int(version.group()) if version else 0


def _on_path(program: str) -> list[Path]:
    found = shutil.which(program)
    return [Path(found).resolve().parent] if found else []


def _command(package: str) -> str:
    """The one command that installs a package on this kind of machine."""
    named = {"postgresql": "postgresql@17", "rabbitmq-server": "rabbitmq", MONITOR: "alertmanager"}
    brew = named.get(package, package)
    if sys.platform == "darwin":
        return f"brew install {brew}"
    if shutil.which("apt-get"):
        return f"sudo apt-get install -y {package}"
    if shutil.which("dnf"):
        return f"sudo dnf install -y {'postgresql-server' if package == 'postgresql' else package}"
    return f"brew install {brew}"
