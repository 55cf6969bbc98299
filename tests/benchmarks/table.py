"""The results for the terminal: a table for each benchmark, and one of what was to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.benchmarks.benchmark import Benchmark
from tests.benchmarks.figures import FLOOR, OURS, Figure, Figures
from tests.benchmarks.targets import Reached, reached


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
    by_line: dict[tuple[str, str, str], dict[str, Figure]] = {}
    for figure in found:
        line = (figure.key.what, figure.key.case, figure.unit)
        by_line.setdefault(line, {})[figure.key.who] = figure
    rows = []
    for (what, case, unit), line in by_line.items():
        cells = [_cell(line.get(who)) for who in contenders]
        rows.append([what, case, unit, *cells, *([_share(unit, line)] if shared else [])])
    return Pivot(["what", "case", "", *contenders, *(["of the floor"] if shared else [])], rows)


def targets_of(figures: Figures) -> Pivot:
    rows = [_target(each) for each in reached(figures)]
    return Pivot(["to be reached", "wanted", "measured", ""], rows)


def number(value: float) -> str:
    """With as many digits as tell something."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _cell(figure: Figure | None) -> str:
    """The median, and from where to where it went."""
    if figure is None:
        return ""
    if figure.low == figure.high:
        return number(figure.median)
    return f"{number(figure.median)} ({number(figure.low)} to {number(figure.high)})"


def _share(unit: str, line: dict[str, Figure]) -> str:
    if unit != "/s" or not {OURS, FLOOR} <= set(line) or not line[FLOOR].median:
        return ""
    return f"{line[OURS].median / line[FLOOR].median:.2f}"


def _target(each: Reached) -> list[str]:
    return [each.target.what, each.target.wanted, each.shown, each.verdict]


def _table(title: str, content: Pivot) -> Table:
    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(content.headings):
        table.add_column(heading, justify="left" if place < 2 else "right")
    for row in content.rows:
        table.add_row(*row)
    return table
