"""The run: benchmark after benchmark, and in each the turns A B A B, round after round."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psutil
import psycopg2
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.figures import Figures
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Stage


def run(
    stage: Stage, benchmarks: Sequence[Benchmark], sizes: Sizes, progress: Progress, figures: Figures
) -> None:
    """Measure all of them, and add what was measured to the figures.

    What cannot be measured ends the run: a table with a gap proves nothing. The figures until then are kept.
    """
    figures.about = about(stage, sizes)
    everything = progress.add_task("all", total=len(benchmarks))
    for benchmark in benchmarks:
        progress.update(everything, description=benchmark.name)
        with benchmark.turns(stage, sizes) as turns:
            order = interleaved(turns, sizes.rounds)
            doing = progress.add_task("", total=len(order))
            for number, turn in order:
                progress.update(doing, description=f"  round {number}: {turn.name}")
                began = time.monotonic()
                figures.add(benchmark.name, turn.measure())
                progress.console.log(f"{benchmark.name}: {turn.name} took {time.monotonic() - began:.0f} s")
                progress.advance(doing)
            progress.remove_task(doing)
        progress.advance(everything)


def interleaved(turns: Sequence[Turn], rounds: int) -> list[tuple[int, Turn]]:
    """A B C, A B C, ...: what changes on the machine meanwhile changes for all of them."""
    return [
        (number, turn)
        for number in range(1, rounds + 1)
        for turn in turns
        if turn.rounds is None or number <= turn.rounds
    ]


def new_progress(**options: Any) -> Progress:
    return Progress(TextColumn("{task.description:45}"), BarColumn(), TimeElapsedColumn(), **options)


def about(stage: Stage, sizes: Sizes) -> dict[str, Any]:
    """What was measured on."""
    session = psycopg2.connect(stage.stack.addresses.database_url.replace("+psycopg2", "", 1))
    with session.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgres,) = cursor.fetchone() or ("",)
    session.close()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processors": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "postgres": postgres.split()[0],
        "rabbitmq": stage.stack.rabbitmq.ctl("eval", 'io:format("~s~n", [rabbit_misc:version()]).').split()[
            0
        ],
        "rounds": sizes.rounds,
        "sizes": vars(sizes),
    }


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()
