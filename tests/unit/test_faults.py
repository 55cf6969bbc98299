"""Faults happen where, when and as often as they were asked for, and never by accident."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from alertops import faults
from alertops.errors import ConfigurationError
from alertops.faults import Action, Point, from_environment

ALLOWED = {"ALERTOPS_FAULTS_ALLOWED": "yes"}


class Line:
    """A connection that can be cut, and says whether it was."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()

    def fileno(self) -> int:
        return self._near.fileno()

    @property
    def is_cut(self) -> bool:
        self._far.setblocking(False)
        try:
            return self._far.recv(1) == b""
        except BlockingIOError:
            return False


def struck(reach: Any, visits: int, point: Point = Point.AFTER_CLAIM) -> list[bool]:
    """For each of several visits, whether the connection was cut."""
    lines = [Line() for _ in range(visits)]
    for line in lines:
        reach(point, line)
    return [line.is_cut for line in lines]


def test_nothing_is_armed_unless_the_environment_says_so() -> None:
    assert from_environment({}) is from_environment({"ALERTOPS_FAULT": ""})
    assert struck(from_environment({}), 3) == [False] * 3


def test_this_process_has_no_faults() -> None:
    assert faults.reach is from_environment({})


@pytest.mark.parametrize("allowed", [{}, {"ALERTOPS_FAULTS_ALLOWED": "no"}])
def test_faults_that_nobody_allowed_are_refused_by_name(allowed: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="ALERTOPS_FAULTS_ALLOWED"):
        from_environment({"ALERTOPS_FAULT": "after_claim:kill:1", **allowed})


def test_a_process_with_faults_that_nobody_allowed_does_not_start() -> None:
    environment = {**os.environ, "ALERTOPS_FAULT": "after_claim:kill:1"}
    command = [sys.executable, "-c", "import alertops.services.send_attempt"]
    ended = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)  # noqa: S603
    assert ended.returncode == 1
    assert "ALERTOPS_FAULTS_ALLOWED=yes" in ended.stderr


@pytest.mark.parametrize(
    "wanted",
    ["nowhere:kill:1", "after_claim:explode:1", "after_claim:kill", "after_claim:kill:0", "after_claim"],
)
def test_every_fault_that_makes_no_sense_is_named(wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=wanted) as error:
        from_environment(
            {"ALERTOPS_FAULT": f"{wanted},{wanted}", "ALERTOPS_FAULT_ONCE": "/nowhere", **ALLOWED}
        )
    assert len(error.value.problems) == 3


def test_a_fault_strikes_as_often_as_it_says_and_at_its_point_alone() -> None:
    reach = from_environment({"ALERTOPS_FAULT": "after_claim:cut:2, after_open:cut:1", **ALLOWED})
    assert struck(reach, 2, Point.AFTER_TRANSMIT) == [False, False]
    assert struck(reach, 3) == [True, True, False]
    assert struck(reach, 2, Point.AFTER_OPEN) == [True, False]


def test_processes_that_share_a_folder_are_struck_once_together(tmp_path: Path) -> None:
    variables = {"ALERTOPS_FAULT": "after_claim:cut:1", "ALERTOPS_FAULT_ONCE": str(tmp_path), **ALLOWED}
    one, other = from_environment(variables), from_environment(variables)
    assert struck(one, 1) == [True]
    assert struck(other, 2) == [False, False]
    marker = tmp_path / "after_claim.cut.1"
    assert marker.read_text() == str(os.getpid())
    marker.unlink()
    assert struck(other, 2) == [True, False]


def visitor(action: Action) -> subprocess.Popen[str]:
    """Another process, which visits a point, and says so if it survives."""
    program = "\n".join(
        (
            "import sys",
            "from alertops.faults import Point, reach",
            "reach(Point.AFTER_CLAIM, sys.stdin)",
            "print('survived', flush=True)",
        )
    )
    environment = {**os.environ, "ALERTOPS_FAULT": f"after_claim:{action}:1", **ALLOWED}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_kill_leaves_no_time_for_anything() -> None:
    with visitor(Action.KILL) as process:
        said, _ = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    assert "survived" not in said


def test_stop_freezes_until_somebody_wakes_the_process() -> None:
    with visitor(Action.STOP) as process:
        deadline = time.monotonic() + 20
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said.endswith("survived\n")
