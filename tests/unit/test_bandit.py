"""Bandit finds nothing that is not explained: beside the line, or here where it is the nature of a folder.

Ruff's rules S are Bandit's, under the same numbers, but not all of them; what it lets pass by a `noqa` with a
reason is explained to both.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = ("alertops", "api", "tasks", "celeryconfig.py", "deploy")

# (finding, folder) -> why it may be there.
EXPLAINED = {
    ("B404", "deploy"): "starting servers and faults as processes is what this folder is for",
    ("B603", "deploy"): "argument lists of our own, no shell, and nothing of a request among them",
    ("B311", "deploy"): "faults and choices are drawn from a seed, to be drawn again; nothing is secret",
}


@pytest.fixture(scope="module")
def findings() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "bandit", "-q", "-r", "-f", "json", *CHECKED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    report = json.loads(done.stdout)
    assert report["errors"] == []
    assert report["metrics"]["_totals"]["loc"] > 5000
    found: list[dict[str, Any]] = report["results"]
    return found


def explained(finding: dict[str, Any]) -> bool:
    folder = finding["filename"].removeprefix("./").partition("/")[0]
    if (finding["test_id"], folder) in EXPLAINED:
        return True
    lines = (ROOT / finding["filename"]).read_text().splitlines()
    number = finding["test_id"].replace("B", "S")
    first, last = min(finding["line_range"]), max(finding["line_range"])
    # Words, and not the number alone: behind it, or in a comment of the line before.
    return any(
        (noqa := re.search(rf"# noqa: [A-Z0-9, ]*\b{number}\b(.*)", line))
        and (noqa[1].strip() or before.lstrip().startswith("#"))
        for before, line in pairwise(lines[max(first - 2, 0) : last])
    )


def test_each_finding_is_explained(findings: list[dict[str, Any]]) -> None:
    unexplained = [
        f"{f['filename']}:{f['line_number']} {f['test_id']} {f['issue_text']}"
        for f in findings
        if not explained(f)
    ]
    assert unexplained == []


def test_no_explanation_is_left_of_what_is_gone(findings: list[dict[str, Any]]) -> None:
    found = {(f["test_id"], f["filename"].removeprefix("./").partition("/")[0]) for f in findings}
    assert EXPLAINED.keys() <= found
