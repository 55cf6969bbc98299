"""The table of states and operations, as it comes out of the machine, for the documentation::

python -m alertops.escalation.table > docs/operations.md
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from alertops.escalation.decision import Decision, Reason
from alertops.escalation.events import (
    Acknowledge,
    Cancel,
    Escalate,
    Operation,
    Reassign,
    Rebase,
    Resolve,
    Snooze,
    Unsnooze,
)
from alertops.escalation.flow import Flow, Node
from alertops.escalation.machine import decide
from alertops.escalation.operations import REPLAYABLE
from alertops.escalation.plan import Course, Firing
from alertops.escalation.state import Leg, State, WaitingStep
from alertops.escalation.states import ExecutionStatus

_NOW = datetime(2024, 1, 1, tzinfo=UTC)
_LATER = _NOW + timedelta(hours=1)
_FLOW = Flow((Node("first", "first", {}, 0), Node("second", "second", {}, 3600)))


def operations() -> Mapping[str, Operation]:
    """One example of each, in the order of the table."""
    return {
        "acknowledge": Acknowledge(),
        "resolve": Resolve(),
        "cancel": Cancel(),
        "snooze": Snooze(_LATER + timedelta(hours=1)),
        "unsnooze": Unsnooze(),
        "escalate": Escalate(2),
        "reassign": Reassign(_FLOW, same=False),
        "rebase": Rebase(_FLOW, 0),
    }


def cell(operation: Operation, status: ExecutionStatus) -> str:
    """What becomes of it when somebody asks for this in that state."""
    return _words(decide(_state(status), operation, _NOW))


def table() -> str:
    """The table, as Markdown."""
    statuses = list(ExecutionStatus)
    lines = [f"| | {' | '.join(statuses)} |", "|---|" + "---|" * len(statuses)]
    for name, operation in operations().items():
        cells = [cell(operation, status) for status in statuses]
        lines.append(f"| **{name}** | {' | '.join(cells)} |")
    again = ["another execution" if status in REPLAYABLE else "-" for status in statuses]
    lines.append(f"| **replay** | {' | '.join(again)} |")
    return "\n".join(lines)


def _state(status: ExecutionStatus) -> State:
    """The first of two nodes has fired; the second waits if anything does."""
    running = status is ExecutionStatus.RUNNING
    waiting = WaitingStep(2, _LATER, Firing(0, "second")) if running else None
    leg = Leg((Firing(0, "first"),), waiting, last_fired=1, last_number=2 if running else 1)
    until = _LATER if status is ExecutionStatus.SNOOZED else None
    return State(status, _FLOW, Course(_NOW), _NOW, snoozed_until=until, leg=leg)


def _words(decision: Decision) -> str:
    if decision.reason is Reason.REFUSED:
        return "-"
    if decision.reason is Reason.ALREADY:
        return "*already*"
    return f"→ {decision.to}" if decision.to else "done"


if __name__ == "__main__":
    print(table())
