"""Installs a system package with apt-get, without starting the package's own service."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.locks import exclusive
from deploy.local.progress import Report

POLICY = Path("/usr/sbin/policy-rc.d")
START_NO_SERVICE = "#!/bin/sh\n# Of AlertOps, while it installs a package; may be deleted.\nexit 101\n"
SYSTEMD_IS_RUNNING = Path("/run/systemd/system")
APT_INSTALL = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends"]
APT_UPDATE = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "update"]


def can_install() -> bool:
    """Whether this is Debian or Ubuntu, and we are root or may become root without a password."""
    return shutil.which("apt-get") is not None and (os.geteuid() == 0 or _sudo_needs_no_password())


def install(missing: Callable[[], Sequence[str]], report: Report) -> None:
    """Install the packages which `missing` names.

    It is asked under a lock: when another checkout has just installed them, there is nothing to do.
    """
    with exclusive(POLICY.parent, report):
        packages = missing()
        if not packages:
            return
        report(f"Installing {' and '.join(packages)} with apt-get. This takes about a minute.")
        before = _enabled_services(packages)
        with _services_not_started():
            _apt_install(packages)
        _disable_services(_enabled_services(packages) - before)


def _apt_install(packages: Sequence[str]) -> None:
    if _as_root(*APT_INSTALL, *packages).returncode == 0:
        return
    # The usual reason is a package list that is missing or out of date.
    _as_root(*APT_UPDATE)
    done = _as_root(*APT_INSTALL, *packages)
    if done.returncode != 0:
        last_lines = "\n".join(done.stdout.splitlines()[-5:])
        raise LocalStackError(f"apt-get could not install {' and '.join(packages)}:\n{last_lines}")


@contextmanager
def _services_not_started() -> Iterator[None]:
    """Keep Debian's package scripts from starting services; a policy of the system's own stays as it is.

    One of ours that is there already was left by a run that was killed: it is replaced, and removed.
    """
    if POLICY.exists() and POLICY.read_text(errors="replace") != START_NO_SERVICE:
        yield
        return
    with tempfile.NamedTemporaryFile("w", suffix=".policy") as policy:
        policy.write(START_NO_SERVICE)
        policy.flush()
        _must(_as_root("install", "-m", "755", policy.name, str(POLICY)))
    try:
        yield
    finally:
        _must(_as_root("rm", "-f", str(POLICY)))


def _enabled_services(packages: Sequence[str]) -> set[str]:
    """Those of the packages' services which systemd would start at the next boot."""
    if not SYSTEMD_IS_RUNNING.exists():
        return set()
    return {name for name in packages if _as_root("systemctl", "is-enabled", name).returncode == 0}


def _disable_services(services: set[str]) -> None:
    """Also after the next boot the system shall not run what only a checkout asked for."""
    if services:
        _must(_as_root("systemctl", "disable", *sorted(services)))


def _sudo_needs_no_password() -> bool:
    sudo = shutil.which("sudo")
    return (
        sudo is not None
        and subprocess.run([sudo, "-n", "true"], check=False, capture_output=True).returncode == 0
    )


def _as_root(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as root; its output, errors included, is in the result's stdout."""
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return subprocess.run(
        # sudo drops our environment, so that the one setting is given behind it.
        [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", *command],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        raise LocalStackError(f"'{' '.join(done.args)}' failed: {done.stdout.strip()}")
