"""Run Spin on the model: translate it, compile the verifier, let it search, read its report."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "docs" / "model"
ESCALATION = MODELS / "escalation.pml"
COURSE = MODELS / "course.pml"

# Twenty times deeper than the deepest search needs; a search that is cut off is no proof.
MAX_DEPTH = 20_000
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Report:
    """What the verifier said."""

    text: str

    @property
    def errors(self) -> int:
        return int(self._number(r"errors: (\d+)"))

    @property
    def states(self) -> int:
        return int(float(self._number(r"([\d.e+]+) states, stored")))

    @property
    def broken(self) -> str | None:
        """The promise that does not hold, by its name in the model."""
        found = re.search(r"assertion violated (\w+)", self.text)
        return found[1] if found else None

    @property
    def complete(self) -> bool:
        """Nothing was left out of the search."""
        cut_off = ("Search not completed", "max search depth too small", "out of memory")
        return not any(words in self.text for words in cut_off)

    def unreached(self, process: str) -> dict[int, str]:
        """Lines of the model that no run of this process got to, with their statements."""
        section = re.search(rf"unreached in proctype {process}\n((?:\t.*\n)*?)\t\(", self.text)
        assert section, f"the verifier did not report on {process}:\n{self.text}"
        return {int(line): text for line, text in re.findall(r"\.pml:(\d+), state \d+, \"(.*)\"", section[1])}

    def _number(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        assert found, f"the verifier said no {pattern!r}:\n{self.text}"
        return found[1]


def tool(name: str) -> str:
    """The path of spin or gcc; the test fails, and says what to do, when it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is missing; install it with: sudo apt-get install -y {name}", pytrace=False)
    return path


def search_all(folder: Path, model: Path, *settings: str) -> Report:
    """Visit every reachable state of the model with these settings defined."""
    return _search(folder, model, settings, "-O2", "-DCOLLAPSE")


def search_shortest(folder: Path, model: Path, *settings: str) -> Report:
    """Search breadth first, so that what is found first is a shortest counterexample."""
    return _search(folder, model, settings, "-O0", "-DBFS")


def _search(folder: Path, model: Path, settings: tuple[str, ...], *how: str) -> Report:
    defines = [f"-D{setting}" for setting in settings]
    _run(folder, tool("spin"), "-a", *defines, str(model))
    # -DSAFETY: promises and dead ends, no cycles. -w: C warnings about generated code help nobody.
    _run(folder, tool("gcc"), "-w", *how, "-DSAFETY", "-DMEMLIM=1500", "-o", "pan", "pan.c")
    return Report(_run(folder, str(folder / "pan"), f"-m{MAX_DEPTH}", "-w22"))


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(  # noqa: S603  found by `tool`, with arguments from this package
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout
