"""The results for the terminal: a table for each benchmark, and one of what was to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.benchmarks.benchmark import Benchmark
from tests.benchmarks.figures import FLOOR, OURS, Figure, Figures
from tests.benchmarks.reach import TARGETS
from tests.benchmarks.targets import Reached, reached

QUANTILES = ("p50", "p99", "latest")
QUANTILES_TOLD = ": p50 / p99 / latest"


@dataclass(frozen=True)
class Pivot:
    """The figures of one benchmark: a line for what was measured in a case, a column for each contender."""

    headings: list[str]
    rows: list[list[str]]


def print_figures(figures: Figures, benchmarks: Sequence[Benchmark], console: Console) -> None:
    for benchmark in benchmarks:
        console.print(_table(benchmark.title, pivot(figures, benchmark.name)))
    console.print(_table("What was to be reached", targets_of(figures)))


def pivot(figures: Figures, benchmark: str) -> Pivot:
    """What of it is a rate is also given as a share of the floor's."""
    found = figures.of(benchmark)
    contenders = list(dict.fromkeys(figure.key.who for figure in found))
    shared = FLOOR in contenders and OURS in contenders
    lines: dict[tuple[str, str, str], dict[str, list[Figure]]] = {}
    for figure in found:
        what, quantile = _told_together(figure.key.what)
        name = f"{what}{QUANTILES_TOLD}" if quantile else what
        line = lines.setdefault((name, figure.key.case, figure.unit), {})
        line.setdefault(figure.key.who, []).append(figure)
    rows = []
    for (what, case, unit), line in lines.items():
        cells = [_cell(line.get(who, [])) for who in contenders]
        rows.append([what, case, unit, *cells, *([_share(unit, line)] if shared else [])])
    return Pivot(["what", "case", "", *contenders, *(["of the floor"] if shared else [])], rows)


def targets_of(figures: Figures) -> Pivot:
    rows = [_target(each) for each in reached(TARGETS, figures)]
    return Pivot(["to be reached", "wanted", "measured", ""], rows)


def number(value: float) -> str:
    """With as many digits as tell something."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _told_together(what: str) -> tuple[str, str]:
    """What is told in three figures has one line."""
    name, _, quantile = what.rpartition(", ")
    return (name, quantile) if quantile in QUANTILES else (what, "")


def _cell(figures: Sequence[Figure]) -> str:
    """The median, and from where to where it went; of several, the medians."""
    if len(figures) != 1:
        return " / ".join(number(figure.median) for figure in figures)
    (figure,) = figures
    if figure.low == figure.high:
        return number(figure.median)
    return f"{number(figure.median)} ({number(figure.low)} to {number(figure.high)})"


def _share(unit: str, line: dict[str, list[Figure]]) -> str:
    if unit != "/s" or not {OURS, FLOOR} <= set(line) or not line[FLOOR][0].median:
        return ""
    return f"{line[OURS][0].median / line[FLOOR][0].median:.2f}"


def _target(each: Reached) -> list[str]:
    return [each.target.what, each.target.wanted, each.shown, each.verdict]


def _table(title: str, content: Pivot) -> Table:
    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(content.headings):
        table.add_column(heading, justify="left" if place < 2 else "right")
    for row in content.rows:
        table.add_row(*row)
    return table
