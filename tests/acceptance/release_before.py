"""The sources of the release before this one, out of the history."""

from __future__ import annotations

import re
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from deploy.local.fleet import CHECKOUT

# What stands for it until there is a release: the last commit whose schema is 0018.
UNTIL_THERE_IS_ONE = "bb10783dc875a06a668b7a0da9d4a868a7e46981"


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], check=False, cwd=CHECKOUT, capture_output=True)  # noqa: S603, S607


def release_before() -> str:
    """The last tag before this commit, or the commit that stands for one; skips where there is no history."""
    tagged = git("describe", "--tags", "--abbrev=0", "HEAD^")
    name = tagged.stdout.decode().strip() if tagged.returncode == 0 else UNTIL_THERE_IS_ONE
    if git("cat-file", "-e", f"{name}^{{commit}}").returncode != 0:
        pytest.skip(f"the release before, {name}, is not in this checkout's history: `git fetch --unshallow`")
    return name


def export(name: str, folder: Path) -> Path:
    """Its files, as they were."""
    packed = git("archive", "--format=tar", name)
    assert packed.returncode == 0, packed.stderr.decode()
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def newest_revision(checkout: Path) -> str:
    """Of its schema: the one that no other follows."""
    files = (checkout / "alertops" / "migrations" / "versions").glob("*.py")
    texts = [file.read_text() for file in files]
    revisions = {found[1] for text in texts if (found := re.search(r'^revision = "(\w+)"', text, re.M))}
    followed = {found[1] for text in texts if (found := re.search(r'^down_revision = "(\w+)"', text, re.M))}
    (newest,) = revisions - followed
    return newest
