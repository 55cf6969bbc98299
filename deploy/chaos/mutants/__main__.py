"""`python -m deploy.chaos.mutants`: exit code 1 unless every mutant was caught, and nothing else."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from deploy.chaos.mutants.catalogue import MUTANTS
from deploy.chaos.mutants.mutant import Mutant, StaleMutantError
from deploy.chaos.mutants.schedules import SCHEDULES
from deploy.chaos.mutants.table import markdown, table, write_json
from deploy.chaos.mutants.trial import Trial, name_of, try_out
from deploy.chaos.system import forget
from deploy.local.errors import LocalStackError
from deploy.local.stack import PrivateStack


@click.command(help="Plant bugs into the fleet, and see whether the fault harness finds them.")
@click.option("--only", type=click.Choice(list(MUTANTS)), multiple=True, help="This mutant; may be repeated.")
@click.option(
    "--control/--no-control", default=True, show_default=True, help="Each schedule without a mutant."
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Results go there."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the tables of docs/reliability.md.")
def main(*, only: tuple[str, ...], control: bool, json_file: Path | None, as_markdown: bool) -> None:
    console = Console(highlight=False)
    began = time.monotonic()
    root = Path(f".local/mutants-{os.getpid()}")
    trials: list[Trial] = []

    def tell(sentence: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {sentence}", markup=False, soft_wrap=True)

    stack = PrivateStack(root / "servers")
    try:
        with stack:
            for schedule, mutant in _planned(only, control=control):
                trial = _try_out(stack, root, schedule, mutant)
                trials.append(trial)
                tell(_outcome(trial))
                if json_file:
                    write_json(trials, json_file)
                if trial.as_it_should:
                    forget(root / trial.name, keep_logs=False)
    finally:
        stack.remove()
        forget(stack.root, keep_logs=False)
    console.print(markdown(trials) if as_markdown else table(trials), markup=False, soft_wrap=as_markdown)
    kept = all(trial.as_it_should for trial in trials)
    if kept:
        forget(root, keep_logs=False)
    caught = sum(trial.as_it_should for trial in trials if trial.mutant)
    planted = sum(trial.mutant is not None for trial in trials)
    controls = [trial for trial in trials if trial.mutant is None]
    clean = sum(trial.as_it_should for trial in controls)
    console.print(f"{caught} of {planted} caught; {clean} of {len(controls)} controls clean")
    if not kept:
        console.print(f"The evidence and the logs are in {root}")
    sys.exit(0 if kept else 1)


def _try_out(stack: PrivateStack, root: Path, schedule: str, mutant: Mutant | None) -> Trial:
    """A fleet that does not come up has not been caught at anything."""
    began = time.monotonic()
    try:
        return try_out(stack, root / name_of(schedule, mutant), schedule, mutant)
    except StaleMutantError as error:
        raise click.ClickException(f"{name_of(schedule, mutant)}: {error}") from error
    except LocalStackError as error:
        return Trial(mutant, schedule, 0, Counter(), f"did not run: {error}", time.monotonic() - began)


def _outcome(trial: Trial) -> str:
    broken = ", ".join(f"{count} x {promise}" for promise, count in trial.broken.most_common())
    remark = "" if trial.as_it_should else "   <-- NOT AS IT SHOULD BE"
    nothing = "nothing broken" if trial.executions else trial.first
    return f"{trial.name}, {trial.seconds:.0f} s: {broken or nothing}{remark}"


def _planned(only: tuple[str, ...], *, control: bool) -> Iterator[tuple[str, Mutant | None]]:
    """Schedule by schedule: first with nothing planted, then each mutant that is run under it."""
    chosen = [mutant for name, mutant in MUTANTS.items() if not only or name in only]
    for schedule in SCHEDULES:
        mutants = [mutant for mutant in chosen if mutant.schedule == schedule]
        if mutants and control:
            yield schedule, None
        yield from ((schedule, mutant) for mutant in mutants)


if __name__ == "__main__":
    main(prog_name="python -m deploy.chaos.mutants")
