"""The fault harness is not blind: a bug that was planted into the fleet is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# The one that shows itself soonest; `make mutants` runs them all, and the schedules without any.
QUICKEST = "due-from-now"
RUN_SECONDS = 240


@pytest.mark.acceptance
def test_planted_bug_is_found(tmp_path: Path) -> None:
    file = tmp_path / "trials.json"
    done = subprocess.run(  # noqa: S603  our own module, with arguments of our own
        [
            sys.executable,
            *("-m", "deploy.chaos.mutants", "--no-control"),
            *("--only", QUICKEST, "--json", file),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (trial,) = json.loads(file.read_text())
    assert trial["mutant"] == QUICKEST
    assert trial["broken"]["undrifted"] > 0
    assert trial["executions"] > 0
