"""What the image holds is made by the very steps of its Dockerfile, and is enough to run everything.

Not tried by this: the base images, and that the steps work in a container. It fetches every locked package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.fleet import CHECKOUT
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses
from tests.acceptance.deployment import Deployment
from tests.acceptance.test_deployed import checks, empty, run_through
from tests.deploy.deployed import DEPLOY, composed

pytestmark = [pytest.mark.acceptance, pytest.mark.nightly]

__all__ = ["empty"]  # a fixture

# Where the steps put things in a container.
PLACES = ("/opt/alertops", "/wheels")
FOR_DEVELOPERS = ("pytest", "hypothesis", "mypy", "matplotlib", "psutil", "pip", "setuptools")


def build_steps() -> Iterator[tuple[str, str]]:
    """The steps of the first stage: each instruction, and its words."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    _, first, _ = re.split(r"^FROM ", text.replace("\\\n", " "), flags=re.MULTILINE)
    for line in first.splitlines()[1:]:
        instruction, _, words = line.partition(" ")
        yield instruction, words


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the image has at `/opt/alertops`."""
    root = tmp_path_factory.mktemp("image")
    source = root / "src"
    source.mkdir()
    # `python` of the base image: one with pip, and none of our packages.
    python = shutil.which("python3", path=f"{sys.base_prefix}/bin")
    assert python, f"there is no python3 in {sys.base_prefix}/bin"
    for instruction, words in build_steps():
        if instruction == "COPY":
            *names, target = words.split()
            for name in names:
                copy(CHECKOUT / name, source / target)
        elif instruction == "RUN":
            command = re.sub("|".join(PLACES), lambda place: f"{root}{place[0]}", words)
            command = re.sub(r"\bpython -m", f"{python} -m", command)
            environment = {"PATH": "/usr/bin:/bin", "HOME": str(root), **inherited()}
            subprocess.run(["/bin/sh", "-ec", command], check=True, cwd=source, env=environment)  # noqa: S603
    return root / "opt" / "alertops"


def inherited() -> dict[str, str]:
    """How this machine reaches its packages."""
    return {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def test_the_image_has_what_it_needs_and_nothing_for_developers(built: Path) -> None:
    found = {
        folder.name.partition("-")[0].lower()
        for folder in built.glob("lib/python3*/site-packages/*.dist-info")
    }
    assert {"alertops", "celery", "flask", "flower", "gunicorn", "psycopg2_binary"} <= found
    assert not found & set(FOR_DEVELOPERS)


def test_it_is_enough_to_run_everything(built: Path, empty: Addresses, tmp_path: Path) -> None:
    with SmtpSink() as sink:
        deployment = Deployment(
            composed(), tmp_path, empty, sink.port, checks(), programs=built / "bin", sources=None
        )
        with deployment:
            run_through(deployment, sink, tmp_path)
