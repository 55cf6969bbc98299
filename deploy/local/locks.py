"""Only one at a time: an exclusive lock on a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.progress import Report


@contextmanager
def exclusive(folder: Path, report: Report) -> Iterator[None]:
    """Wait until no other process holds the folder, then hold it.

    The folder itself is locked, not a file in it, so nothing is left behind.
    The kernel lets go when the holder dies; the servers that it starts do not inherit the lock.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"Waiting for another command that is at work on {folder} ...")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
