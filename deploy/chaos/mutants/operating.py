"""Mutants of what people do about executions that run."""

from __future__ import annotations

from deploy.chaos.mutants.mutant import Edit, Mutant

MACHINE = "alertops/escalation/machine.py"
OPERATIONS = "alertops/escalation/operations.py"

MUTANTS = (
    Mutant(
        "snooze-forgotten",
        "a snooze is over, and nothing comes back, as the wrong state is looked for",
        schedule="operated",
        breaks=("timed",),
        edits=(
            Edit(
                MACHINE,
                "        case TimerKind.SNOOZE, ExecutionStatus.SNOOZED:\n",
                "        case TimerKind.SNOOZE, ExecutionStatus.ACKNOWLEDGED:\n",
            ),
        ),
    ),
    Mutant(
        "rebase-fires-again",
        "a rebase forgets the first node that has fired, and fires it again",
        schedule="operated",
        breaks=("planned",),
        edits=(
            Edit(
                OPERATIONS,
                "    place = next_position(flow, frozenset(state.leg.fired))\n",
                "    place = next_position(flow, frozenset(state.leg.fired[1:]))\n",
            ),
        ),
    ),
    Mutant(
        "reassign-leaves-waiting",
        "when another flow takes over, the step that waits and the attempts of the one before are left there",
        schedule="operated",
        breaks=("fired", "silent", "planned", "ordered"),
        besides="the unique index on steps that wait: it refuses a second one",
        edits=(
            Edit(
                OPERATIONS,
                "        CancelWaiting(),\n        _UNTIL_IT_COMES_BACK,\n        *_resolve_timer(",
                "        _UNTIL_IT_COMES_BACK,\n        *_resolve_timer(",
            ),
        ),
        statements=("DROP INDEX uq_steps_one_waiting",),
    ),
    Mutant(
        "escalate-skips",
        "escalating what was silenced goes to the last node, and passes over those in between",
        schedule="operated",
        breaks=("planned",),
        edits=(
            Edit(
                OPERATIONS,
                "        place = next_position(state.flow, frozenset(leg.fired))\n",
                "        place = list(positions(state.flow))[-1]\n",
            ),
        ),
    ),
)
