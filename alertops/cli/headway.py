"""How far a long command is: a bar on a terminal, and now and then a line anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINE_EVERY_SECONDS = 10.0

Advance = Callable[[int], None]


@contextmanager
def headway(name: str, expected: int) -> Iterator[Advance]:
    """Tell how far it is, as `advance` says by how much; and at the end how much was done, and how fast."""
    console = Console()
    telling = _bar(console, name, expected) if console.is_terminal else _lines(name, expected)
    began, done = time.monotonic(), 0

    def advance(by: int) -> None:
        nonlocal done
        done += by
        tell(done)

    with telling as tell:
        yield advance
    seconds = time.monotonic() - began
    click.echo(f"{name}: {done:,} deleted in {seconds:.1f} s ({done / max(seconds, 0.001):,.0f}/s)")


@contextmanager
def _bar(console: Console, name: str, expected: int) -> Iterator[Callable[[int], None]]:
    speed = TextColumn("{task.fields[rate]}")
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), speed, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task: TaskID = progress.add_task(name, total=expected, rate="")

        def tell(done: int) -> None:
            rate = f"{progress.tasks[0].speed or 0:,.0f}/s"
            progress.update(task, completed=done, total=max(done, expected), rate=rate)

        yield tell


@contextmanager
def _lines(name: str, expected: int) -> Iterator[Callable[[int], None]]:
    told_at = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= LINE_EVERY_SECONDS:
            told_at = time.monotonic()
            click.echo(f"{name}: {done:,} of {expected:,} deleted")

    yield tell
