"""Before anything is hurt: alerts at a steady rate, and how late their steps fire and are sent.

Only what comes due while the rate is full counts: after the first alert's last step, and until the last
alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Attempt, Execution, Step
from deploy.chaos.alerts import PlannedAlert, PlannedFlow

STEPS_PER_SECOND = 50
NODES = 4
# More than a second, so that every step waits in the broker as well as in a worker.
DELAY_SECONDS = 2
# From the first alert on, until alerts of all ages are under way.
FILLING_SECONDS = float(NODES * DELAY_SECONDS)
MAILBOX = "steady@example.org"

FLOW = PlannedFlow(
    "Undisturbed",
    [
        {
            "name": f"Node {number}",
            "recipient": {"type": "email", "email": MAILBOX},
            "delay_seconds": DELAY_SECONDS,
        }
        for number in range(1, NODES + 1)
    ],
)

# When a step was due, when it fired, and when its mail was recorded as delivered.
Times = tuple[datetime, datetime | None, datetime | None]


def raising_seconds(measured_seconds: float) -> float:
    """For how long alerts are raised, so that as many seconds can be measured."""
    return FILLING_SECONDS + measured_seconds if measured_seconds else 0.0


def plan(measured_seconds: float, flow: int, prefix: str) -> list[PlannedAlert]:
    """Alerts of this flow, evenly spread, that nobody answers."""
    count = round(raising_seconds(measured_seconds) * STEPS_PER_SECOND / NODES)
    return [PlannedAlert(f"{prefix}-steady-{i}", flow, i / count, None) for i in range(count)]


def read_times(session: Session) -> Sequence[Times]:
    """Of all steps that came due while the rate was full, and their first attempts."""
    query = (
        select(Execution.anchor_at, Step.due_at, Step.fired_at, Attempt.finished_at)
        .join(Step, Step.execution_id == Execution.id)
        .outerjoin(
            Attempt,
            (Attempt.execution_id == Step.execution_id)
            & (Attempt.step_number == Step.number)
            & (Attempt.number == 1),
        )
        .where(Execution.summary.contains("-steady-"))
    )
    rows = session.execute(query).all()
    session.rollback()
    if not rows:
        return []
    full = min(row.anchor_at for row in rows) + timedelta(seconds=FILLING_SECONDS)
    over = max(row.anchor_at for row in rows)
    return [(row.due_at, row.fired_at, row.finished_at) for row in rows if full <= row.due_at <= over]
