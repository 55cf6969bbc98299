"""`python -m deploy.chaos`: the fleet under faults; exit code 1 when a promise or target was missed."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from deploy.chaos.profiles import PROFILES
from deploy.chaos.report import table, write_json
from deploy.chaos.run import judge_run, make_plan, measure_undisturbed, play
from deploy.chaos.schedule import KINDS, impossible
from deploy.chaos.system import SETTINGS, forget, running_system
from deploy.local.errors import LocalStackError

SWITCH_SECONDS = 0.0005


@click.command(help="Hurt the real fleet in all the ways we know, and check every promise.")
@click.option("--seed", type=int, help="Repeats the schedule of an earlier run.")
@click.option("--profile", type=click.Choice(list(PROFILES)), default="short", show_default=True)
@click.option("--executions", type=click.IntRange(1), help="Otherwise than the profile.")
@click.option("--faults", type=click.IntRange(1), help="Otherwise than the profile.")
@click.option(
    "--undisturbed-seconds",
    type=click.FloatRange(0),
    help="For how long lateness is measured before the first fault; otherwise than the profile.",
)
@click.option("--only", type=click.Choice(list(KINDS)), multiple=True, help="Only faults of this kind.")
@click.option("--rate", type=float, help="Alerts a second; otherwise spread over the time of the faults.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Figures go there."
)
def main(
    *,
    seed: int | None,
    profile: str,
    executions: int | None,
    faults: int | None,
    undisturbed_seconds: float | None,
    only: tuple[str, ...],
    rate: float | None,
    json_file: Path | None,
) -> None:
    console = Console(highlight=False)
    began = time.monotonic()
    root = Path(f".local/chaos-{os.getpid()}")
    chosen = PROFILES[profile].with_(executions, faults, undisturbed_seconds)
    seed = secrets.randbelow(1_000_000) if seed is None else seed

    def tell(sentence: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {sentence}", markup=False, soft_wrap=True)

    shortened = ", ".join(f"{name}={value}" for name, value in SETTINGS.items())
    tell(f"Seed {seed}, {chosen}; settings of the fleet: {shortened}")
    left_out = impossible(root)
    for kind, reason in left_out.items():
        tell(f'"{kind}" is left out: {reason}')
    if only and not {*only} - left_out.keys():
        raise click.ClickException("None of these faults can be done on this machine.")
    kept = False
    # Links are passed on by a thread of this process, which must not wait 5 ms for each of the others.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with running_system(root, tell, exposed=not chosen.undisturbed_seconds) as system:
            plan = make_plan(seed, chosen, system, only, left_out)
            measured = measure_undisturbed(system, plan, tell)
            injector = play(system, plan, rate, tell)
            tell("Holding rows, messages and answers against each other ...")
            figures = judge_run(system, plan, injector, time.monotonic() - began, console, measured=measured)
        kept = figures.kept
    except LocalStackError as error:
        raise click.ClickException(str(error)) from error
    finally:
        forget(root, keep_logs=not kept)
    console.print(table(figures))
    if json_file:
        write_json(figures, json_file)
    console.print("All promises kept." if kept else f"PROMISES BROKEN; the logs are in {root / 'log'}")
    late = chosen.judges_lateness and measured is not None and not measured.on_time
    if late:
        console.print("LATE: undisturbed steps missed their target; is the machine busy with something else?")
    sys.exit(0 if kept and not late else 1)


if __name__ == "__main__":
    main(prog_name="python -m deploy.chaos")
