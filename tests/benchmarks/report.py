"""`python -m tests.benchmarks.report RESULTS.json`: the tables and pictures of docs/performance.md.

What stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` is replaced: NAME is a benchmark, or
`targets`, `capacity` or `about`. The rest of the page is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.benchmarks.capacity import needs_of
from tests.benchmarks.catalogue import BENCHMARKS, ON_DEMAND
from tests.benchmarks.figures import Figures
from tests.benchmarks.plots import draw_all
from tests.benchmarks.table import Pivot, pivot, targets_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "performance.md"


def main() -> int:
    figures = Figures.read(Path(sys.argv[1]))
    PAGE.write_text(filled(PAGE.read_text(), figures))
    drawn = draw_all(figures, DOCS / "images")
    print(f"Wrote {PAGE}, {', '.join(map(str, drawn))}")
    return 0


def filled(page: str, figures: Figures) -> str:
    """The page with these figures. A benchmark that the run left out keeps what the page has of it."""
    sections = {"about": _about(figures), "targets": markdown(targets_of(figures))}
    if needs := needs_of(figures):
        sections["capacity"] = markdown(needs)
    sections |= {
        benchmark.name: markdown(pivot(figures, benchmark.name))
        for benchmark in (*BENCHMARKS, *ON_DEMAND)
        if figures.of(benchmark.name)
    }
    for name, content in sections.items():
        between = re.compile(f"(<!-- bench:{name} -->\n).*?(<!-- /bench:{name} -->)", re.DOTALL)
        page, replaced = between.subn(lambda found, new=content: f"{found[1]}{new}\n{found[2]}", page)
        if replaced != 1:
            raise ValueError(f"the page has {replaced} places for {name}, and should have one")
    return page


def markdown(content: Pivot) -> str:
    empty = {i for i in range(len(content.headings)) if not any(row[i] for row in content.rows)}
    lines = [
        content.headings,
        ["---" if i < 2 else "--:" for i in range(len(content.headings))],
        *content.rows,
    ]
    kept = [[cell for i, cell in enumerate(line) if i not in empty] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in kept)


def _about(figures: Figures) -> str:
    told = figures.about
    return (
        f"`make bench`, {told['at'][:10]}, at commit {told['commit']}: {told['processors']} processors,"
        f" {told['memory_gib']} GiB, a load of {told['load_before']} before it began;"
        f" Python {told['python']}, Postgres {told['postgres']}, RabbitMQ {told['rabbitmq']};"
        f" {told['rounds']} rounds, and of rounds the median (least to most)."
    )


if __name__ == "__main__":
    sys.exit(main())
