"""The living processes of a server, recognised by where they work, and how to start and end them.

A server is started with its home, or a folder in it, as working directory and stays there. So a
process is ours exactly when it works there and runs one of the server's own programs. No pid file is
needed, hence a stale one cannot lead to a stranger; children, and what a crashed run has left, are
found all the same, even after the folder has been moved or deleted under them.
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import psutil

from deploy.local.account import Account

POLL_SECONDS = 0.05


def living(folder: Path, programs: Collection[str]) -> list[psutil.Process]:
    """The processes which work in the folder, or below it, and run one of the programs."""
    return [process for process in psutil.process_iter() if _belongs(process, folder, programs)]


def leaders(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those which were not started by another one of them."""
    pids = {process.pid for process in processes}
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if process.ppid() not in pids:
                found.append(process)
    return found


def send(which: signal.Signals, processes: Sequence[psutil.Process]) -> None:
    """Signal each process; psutil compares start times, so a pid that was given away is left alone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile, as is wanted
            process.send_signal(which)


def gone(folder: Path, programs: Collection[str], *, within: float) -> bool:
    """Wait until none of the programs works in the folder any more; False when the time is over."""
    deadline = time.monotonic() + within
    while living(folder, programs):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def launch(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    account: Account,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start a server that outlives us, working in the folder, its output appended to the log.

    The shell in between makes it nobody's child, so that it leaves no zombie with a caller that
    lives on, and a session of its own keeps the terminal's Ctrl-C from it.
    """
    subprocess.run(
        ["/bin/sh", "-c", '"$@" </dev/null >>"$0" 2>&1 &', log, *command],
        cwd=folder,
        env=environment,
        umask=0o077,
        start_new_session=True,
        check=True,
        **account.keywords(),
    )


def _belongs(process: psutil.Process, folder: Path, programs: Collection[str]) -> bool:
    try:
        return (
            process.name() in programs
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd().removesuffix(" (deleted)")).is_relative_to(folder)
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False  # it has just ended, or is somebody else's: in neither case ours to signal
