"""The figures on the screen and in a file, and the evidence of what was broken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from rich.table import Column, Table
from sqlalchemy.orm import Session

from alertops.models import Execution
from alertops.verify.evidence import evidence
from alertops.verify.promises import Violation
from deploy.chaos.figures import ON_TIME_SECONDS, Figures, Lateness, Undisturbed
from deploy.chaos.injector import Fault
from deploy.local.promises import Message

# Of executions with broken promises, as many are told in full; the others look alike.
SHOWN = 10
NEAR = timedelta(seconds=30)


def write_json(figures: Figures, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(figures) | {"kept": figures.kept}, indent=2) + "\n")


def table(figures: Figures) -> Table:
    """All figures but the violations themselves."""
    shown = Table("figure", Column("value", justify="right"), title=f"Seed {figures.seed}")
    for name, value in _rows(figures):
        shown.add_row(name, str(value))
    return shown


def _rows(figures: Figures) -> Iterator[tuple[str, object]]:
    yield "seconds", figures.seconds
    yield "alerts raised / accepted", f"{figures.alerts} / {figures.accepted}"
    yield "of them tried again after an error", figures.tried_again
    for kind, outcomes in figures.operations.items():
        yield f"  {kind}", ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    yield "flows edited meanwhile, times", figures.edits.get("made", 0)
    for outcome, count in figures.edits.items():
        if outcome != "made":
            yield f"  edits that were not: {outcome}", count
    yield "executions", figures.executions
    yield "steps fired", figures.steps
    yield "mails / webhooks received", f"{figures.mails} / {figures.webhooks}"
    yield "faults", figures.faults
    yield "of them the broker wiped", figures.wipes
    yield "faults that did not work as planned", figures.not_as_planned
    for kind, count in figures.faults_by_kind.items():
        yield f"  {kind}", count
    for kind, reason in figures.left_out.items():
        yield f"  {kind}", f"left out: {reason}"
    yield "workers that ended by themselves", figures.workers_gave_up
    yield "promises checked, times", figures.checked
    yield from figures.broken.items()
    yield "explained repeats", f"{figures.explained_repeats} ({figures.share_of_repeats:.2%} of messages)"
    yield "lateness, all steps: p50 / p99 / most", _lateness(figures.lateness)
    yield "lateness, in calm: p50 / p99 / most", _lateness(figures.lateness_in_calm)
    yield "worst repair: waited without a fault", f"{figures.worst_repair} s"
    if figures.undisturbed:
        yield from _undisturbed(figures.undisturbed)


def _undisturbed(measured: Undisturbed) -> Iterator[tuple[str, object]]:
    rate = f"undisturbed at {measured.steps_per_second} steps/s"
    yield f"lateness, {rate}: p50 / p99 / most", _lateness(measured.fired)
    yield f"until sent, {rate}: p50 / p99 / most", _lateness(measured.sent)
    kept = "kept" if measured.on_time else "missed"
    yield f"  p99 under {ON_TIME_SECONDS} s", f"{kept}, with a load of {measured.load}"


def _lateness(lateness: Lateness) -> str:
    return f"{lateness.p50} / {lateness.p99} / {lateness.most} s ({lateness.steps} steps)"


def explain(
    session: Session, violations: Sequence[Violation], messages: Sequence[Message], faults: Sequence[Fault]
) -> Iterator[str]:
    """Each broken promise; and of the executions concerned, rows, timeline, messages, and the faults near."""
    yield from (str(violation) for violation in violations)
    # Lateness, of which a busy machine has much, comes last.
    telling = sorted(violations, key=lambda violation: violation.promise == "not late")
    for execution_id in list(dict.fromkeys(violation.execution_id for violation in telling))[:SHOWN]:
        yield ""
        yield f"execution {execution_id}"
        lines = evidence(session, execution_id)
        yield from (f"  {line}" for line in lines)
        yield from (f"  {_told(one)}" for one in messages if one.target.execution == execution_id)
        execution = session.get(Execution, execution_id)
        if execution is not None:
            start, end = execution.anchor_at - NEAR, (execution.ended_at or execution.anchor_at) + NEAR
            yield from (f"  fault {f}" for f in faults if f.began_at < end and f.ended_at > start)
        session.rollback()


def _told(message: Message) -> str:
    spot = f"{message.target.step}.{message.target.target}.{message.attempt}"
    repeat = ", perhaps a repeat" if message.announced else ""
    at, way = f"{message.received_at:%H:%M:%S.%f}", message.channel
    return f"{at} {way} {spot} to {message.address} as {message.key}{repeat}"
