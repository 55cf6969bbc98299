"""Whose account a server runs under, and where that account can keep data."""

import hashlib
import os
import pwd
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalStackError

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user and group of the system."""

    uid: int
    gid: int

    def keywords(self) -> dict[str, Any]:
        """The arguments of subprocess.run that run a command under this account."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to this account."""
        os.chown(path, self.uid, self.gid)

    def reaches(self, folder: Path) -> bool:
        """Whether every folder on the way lets this account pass; the kernel is asked, not the modes."""
        asked = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$0"', folder], check=False, cwd="/", **self.keywords()
        )
        return asked.returncode == 0


def our_own() -> Account:
    """The account that we run under."""
    return Account(os.geteuid(), os.getegid())


def unprivileged() -> Account:
    """Our own account, unless we are root: for servers that refuse to run as root."""
    if os.geteuid() != 0:
        return our_own()
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return Account(known[name].pw_uid, known[name].pw_gid)
    raise LocalStackError(
        f"Postgres does not run as root and there is no user {' or '.join(UNPRIVILEGED)}: "
        "run this as an ordinary user."
    )


def reachable_home(root: Path, name: str, account: Account) -> Path:
    """A folder for the account's data: in the stack's root, or outside when the account cannot get there.

    A checkout in root's own home is closed to everybody else, for instance. The folder outside is
    always the same for the same root, and outlives a reboot where the system has such a place.
    """
    if account.reaches(root):
        return root / name
    lasting = Path("/var/tmp")  # noqa: S108 - the folder is checked by make_private_folder
    base = lasting if lasting.is_dir() else Path(tempfile.gettempdir())
    return base.resolve() / f"alertops-{name}-{key_of(root)}"


def key_of(root: Path) -> str:
    """A short name for the root, which no other root has."""
    return hashlib.sha256(os.fsencode(root)).hexdigest()[:16]


def make_private_folder(folder: Path, account: Account) -> None:
    """Make a folder that only the account may enter, or accept the one that is there if it is such.

    In a temporary folder anybody may have made that name first: a link or a stranger's folder is refused.
    """
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {account.uid, os.geteuid()}:
            raise LocalStackError(
                f"{folder} is in the way and is not ours: have it removed and try again."
            ) from None
        account.own(folder)
        folder.chmod(0o700)
