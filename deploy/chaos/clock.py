"""Programs whose wall clock is wrong, and can be set while they run.

A library of our own, since Debian's libfaketime (0.9.10) makes every `time.sleep` of Python 3.11 fail.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local import binaries
from deploy.local.errors import LocalStackError

SOURCE = Path(__file__).with_name("clock.c")
VARIABLE = "ALERTOPS_CHAOS_CLOCK"


def why_not(root: Path) -> str:
    """Why clocks cannot be made wrong on this machine, below this folder; nothing when they can."""
    if not sys.platform.startswith("linux"):
        return "clocks can be made wrong on Linux alone"
    if {" ", ":"} & {*str(root.resolve())}:
        return f"no library is preloaded from a folder like {root.resolve()}"
    try:
        binaries.program("gcc")
        binaries.c_headers()
    except LocalStackError as error:
        return str(error)
    return ""


class Clock:
    """A wall clock for programs that are started with its environment; it is right until it is set."""

    def __init__(self, root: Path) -> None:
        # Never a file that a program of an earlier clock has mapped: it may not shrink under it.
        folder = Path(tempfile.mkdtemp(prefix="clock-", dir=root))
        library, file = folder / "clock.so", folder / "wrong-by"
        _compile(library)
        self._wrong_by = file.open("wb", buffering=0)
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), VARIABLE: str(file)}

    def set(self, wrong_by_seconds: int) -> None:
        """So many seconds ahead of the true time, or behind it; at once, whatever runs by it."""
        self._wrong_by.seek(0)
        self._wrong_by.write(struct.pack("q", wrong_by_seconds))


def _compile(library: Path) -> None:
    done = subprocess.run(  # noqa: S603  a compiler that we found
        [binaries.program("gcc"), "-shared", "-fPIC", "-O2", "-o", library, SOURCE],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise LocalStackError(f"{SOURCE.name} does not compile: {done.stderr.strip()}")
