"""`python -m tests.benchmarks`: measure, and print the table.

::

    --quick          less of everything: under 3 minutes, where the whole takes up to 30
    --only NAME      one benchmark; may be given several times
    --steps N        how many steps endurance runs, which is measured only when it is asked for (100,000)
    --add            keep what the file has of the others that are not measured this time
    --save FILE      write the results as JSON, from which `tests.benchmarks.report` makes docs/performance.md
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from alertops.logs import configure_logging
from tests.benchmarks.catalogue import BENCHMARKS, ON_DEMAND
from tests.benchmarks.figures import Figures
from tests.benchmarks.run import new_progress, run
from tests.benchmarks.sizes import QUICK, WHOLE
from tests.benchmarks.stage import ROOT, open_stage
from tests.benchmarks.table import print_figures


def main() -> int:
    names = {benchmark.name: benchmark for benchmark in (*BENCHMARKS, *ON_DEMAND)}
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--quick", action="store_true", help="less of everything: under 3 minutes")
    parser.add_argument("--only", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--steps", type=int, help="how many steps endurance runs, instead of 100,000")
    parser.add_argument("--add", action="store_true", help="keep what the file has of the others")
    parser.add_argument("--save", type=Path, default=ROOT.with_suffix(".json"), help="where the results go")
    wanted = parser.parse_args()
    configure_logging("console", "WARNING")
    # Where it does not go to a terminal, the tables still want their columns.
    console = Console(width=max(Console().width, 120))
    sizes = QUICK if wanted.quick else WHOLE
    if wanted.steps:
        sizes = replace(sizes, endurance=wanted.steps)
    chosen = [names[name] for name in wanted.only] if wanted.only else list(BENCHMARKS)
    figures = Figures()
    try:
        with new_progress(console=console) as progress, open_stage(progress.console.log) as stage:
            run(stage, chosen, sizes, progress, figures)
    finally:  # also when it was interrupted: half an hour is not to be lost
        if wanted.add and wanted.save.exists():
            figures = Figures.read(wanted.save).with_those_of(figures)
        figures.write(wanted.save)
        print_figures(figures, chosen, console)
        console.print(f"Written to {wanted.save}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
