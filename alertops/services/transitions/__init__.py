"""Every change of a state, as a guarded statement. Each returns whether it was this caller who did it.

"No row" is an answer, not an error: somebody else got there first. All but the marks (`dispatched.py`, and
the one before the point of no return) are made under the execution's row lock (`lock.py`); the guards hold
even if a caller forgot it.

Statements that are run for every step are made once, on tables: to make one takes longer than to run it.
The parameters of keys have names of their own (`services/parameters.py`): one with the name of a column would
be written to it.
"""

from alertops.services.transitions.attempts import (
    Claimed,
    NewAttempt,
    cancel_scheduled_attempts,
    claim_attempt,
    end_attempt,
    insert_attempts,
    mark_transmit,
)
from alertops.services.transitions.dispatched import (
    mark_attempts_dispatched,
    mark_letters_dispatched,
    mark_steps_dispatched,
    mark_timers_dispatched,
)
from alertops.services.transitions.executions import move_execution, run_flow, set_course
from alertops.services.transitions.steps import (
    bring_step_forward,
    cancel_step,
    cancel_waiting_steps,
    fire_step,
    insert_step,
    replan_step,
)
from alertops.services.transitions.timers import cancel_timers, fire_timer, insert_timer

__all__ = [
    "Claimed",
    "NewAttempt",
    "bring_step_forward",
    "cancel_scheduled_attempts",
    "cancel_step",
    "cancel_timers",
    "cancel_waiting_steps",
    "claim_attempt",
    "end_attempt",
    "fire_step",
    "fire_timer",
    "insert_attempts",
    "insert_step",
    "insert_timer",
    "mark_attempts_dispatched",
    "mark_letters_dispatched",
    "mark_steps_dispatched",
    "mark_timers_dispatched",
    "mark_transmit",
    "move_execution",
    "replan_step",
    "run_flow",
    "set_course",
]
