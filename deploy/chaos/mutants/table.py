"""What came out, on the screen and for docs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Column, Table

from deploy.chaos.mutants.schedules import SCHEDULES, Schedule
from deploy.chaos.mutants.trial import Trial


def table(trials: Sequence[Trial]) -> Table:
    numbers = [Column(name, justify="right") for name in ("executions", "violations", "seconds")]
    names = [Column(name, no_wrap=True) for name in ("mutant", "schedule", "promise broken")]
    shown = Table(*names[:2], numbers[0], names[2], *numbers[1:], "as it should be")
    for trial in trials:
        name = trial.mutant.name if trial.mutant else "(none)"
        verdict = "yes" if trial.as_it_should else "NO"
        shown.add_row(
            name,
            trial.schedule,
            str(trial.executions),
            trial.promise or "none",
            str(trial.violations),
            f"{trial.seconds:.0f}",
            verdict,
        )
    return shown


def markdown(trials: Sequence[Trial]) -> str:
    """The tables of docs/reliability.md."""
    lines = [
        "| schedule | seed | faults | executions | violations without a mutant |",
        "|---|---|---|---|---|",
    ]
    for trial in trials:
        if trial.mutant is None:
            schedule = SCHEDULES[trial.schedule]
            counts = f"{trial.executions} | {trial.violations}"
            lines.append(f"| {trial.schedule} | {schedule.seed} | {_faults(schedule)} | {counts} |")
    lines += ["", "| mutant | what it is | schedule | promise broken | violations | seconds | caught |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for trial in trials:
        if trial.mutant is not None:
            besides = f" (without {trial.mutant.besides})" if trial.mutant.besides else ""
            caught = "yes" if trial.as_it_should else "**no**"
            lines.append(
                f"| `{trial.mutant.name}` | {trial.mutant.what}{besides} | {trial.schedule} "
                f"| {trial.promise or 'none'} | {trial.violations} | {trial.seconds:.0f} | {caught} |"
            )
    return "\n".join(lines) + "\n"


def write_json(trials: Sequence[Trial], file: Path) -> None:
    rows = [
        {
            "mutant": trial.mutant.name if trial.mutant else None,
            "schedule": trial.schedule,
            "executions": trial.executions,
            "broken": dict(trial.broken),
            "first": trial.first,
            "seconds": trial.seconds,
            "as_it_should": trial.as_it_should,
        }
        for trial in trials
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows, indent=2) + "\n")


def _faults(schedule: Schedule) -> str:
    return f"{schedule.profile.faults if not schedule.faults else len(schedule.faults)}: {schedule.what}"
