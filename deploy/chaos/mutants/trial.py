"""One run: a fleet with a mutant in it, or without, under a schedule, and the verdict."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deploy.chaos.mutants.mutant import Mutant, copy_sources
from deploy.chaos.mutants.schedules import SCHEDULES
from deploy.chaos.run import judge_run, play
from deploy.chaos.system import system_on
from deploy.local.postgres import DATABASE
from deploy.local.progress import silent
from deploy.local.stack import PrivateStack

# What a mutant has lost for good is lost when the time is over within which it should have been repaired.
SETTLE_SECONDS = 30.0
# A busy machine breaks these too.
OF_TIMING = frozenset({"not late"})


@dataclass(frozen=True)
class Trial:
    """What came out. `mutant` is None for the control: the same schedule with nothing planted."""

    mutant: Mutant | None
    schedule: str
    executions: int
    broken: Counter[str]
    first: str
    seconds: float

    @property
    def name(self) -> str:
        return name_of(self.schedule, self.mutant)

    @property
    def promise(self) -> str:
        """The broken promise that shows the mutant best: the one that it is known for, else the first."""
        known = () if self.mutant is None else self.mutant.breaks
        return next((name for name in (*known, *self._certain) if self.broken[name]), "")

    @property
    def violations(self) -> int:
        return self.broken.total()

    @property
    def as_it_should(self) -> bool:
        """A mutant breaks a promise, and not of timing alone; without one none is broken at all."""
        return bool(self._certain) if self.mutant else self.executions > 0 and not self.broken

    @property
    def _certain(self) -> list[str]:
        return [name for name in self.broken if name not in OF_TIMING]


def name_of(schedule: str, mutant: Mutant | None) -> str:
    """What a trial is called, and its folder."""
    return mutant.name if mutant else f"no-mutant-{schedule.replace(' ', '-')}"


def try_out(stack: PrivateStack, root: Path, schedule: str, mutant: Mutant | None) -> Trial:
    """Run it on these servers; the evidence of what was broken, and the logs, are left in `root`.

    The database is a new one. The broker may hold wake-ups of an earlier trial, which wake nobody.
    """
    began = time.monotonic()
    with _sources(root, mutant) as sources, (root / "evidence.txt").open("w") as evidence:
        statements = () if mutant is None else mutant.statements
        stack.postgres.drop_database(DATABASE)
        stack.postgres.create_database(DATABASE)
        with system_on(
            stack, root, silent, checkout=sources, statements=statements, webhooks=False
        ) as system:
            plan = SCHEDULES[schedule].plan(system)
            injector = play(system, plan, None, silent, SETTLE_SECONDS)
            seconds = time.monotonic() - began
            figures = judge_run(system, plan, injector, seconds, Console(file=evidence, width=200))
    # Each violation begins with the name of its promise.
    broken = Counter(violation.partition(":")[0] for violation in figures.violations)
    seconds = round(time.monotonic() - began, 1)
    return Trial(mutant, schedule, figures.executions, broken, next(iter(figures.violations), ""), seconds)


@contextmanager
def _sources(root: Path, mutant: Mutant | None) -> Iterator[Path]:
    """A copy of the sources with the mutant planted, which is deleted afterwards."""
    shutil.rmtree(root, ignore_errors=True)
    sources = root / "source"
    copy_sources(sources)
    try:
        if mutant is not None:
            mutant.plant(sources)
        yield sources
    finally:
        shutil.rmtree(sources)
