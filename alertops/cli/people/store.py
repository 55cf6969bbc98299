"""The file that keeps a login: its owner alone reads it, it is replaced whole, by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click


@dataclass(frozen=True, repr=False)
class Login:
    """Who is logged in where. It has no representation, so that no traceback shows its tokens."""

    api_url: str
    email: str
    access_token: str
    refresh_token: str
    expires_at: float
    team_id: str | None = None


class Store:
    """The file, and the lock beside it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _folder()
        self._file = self._folder / "credentials.json"

    def read(self) -> Login | None:
        """The login that is kept, if there is one."""
        try:
            return Login(**json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise click.ClickException(f"{self._file} cannot be used; log in again, or remove it.") from error

    def write(self, login: Login) -> None:
        """Keep this one. Whoever reads meanwhile finds the one before, or this one, whole."""
        self._make_folder()
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".credentials-")  # made with mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(asdict(login), file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def forget(self) -> None:
        """Keep none."""
        self._file.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Only one process at a time is in here; the lock ends with the process, however it ends."""
        self._make_folder()
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise click.ClickException(f"{self._folder} cannot be made: {error.strerror}.") from error


def _folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "alertops"
