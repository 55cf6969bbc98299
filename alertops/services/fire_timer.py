"""A timer fires: an execution comes back that nobody resolved, or whose snooze is over, or it is resolved.

::

    wake-up ─▶ lock ─▶ decide ─┬─ stale: leave
                               ├─ early: wake again for what remains
                               └─ due:   fired; a step waits, or nothing more ─▶ commit ─▶ dispatch

Safe against people and against itself: both lock the execution row, and whoever comes second finds the
timer fired, or cancelled.
"""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from alertops.db import Moment, database_now
from alertops.escalation.decision import Reason
from alertops.escalation.events import TimerWoken
from alertops.escalation.machine import decide
from alertops.escalation.states import TimerKind, TimerStatus
from alertops.faults import Point, reach
from alertops.models import Timer
from alertops.services import transitions
from alertops.services.apply import apply
from alertops.services.dispatch import Dispatcher, TimerWakeUp
from alertops.services.keys import TimerKey
from alertops.services.lock import lock_execution, planning_state, read_steps

log = structlog.get_logger(__name__)


def fire_timer(session: Session, dispatcher: Dispatcher, key: TimerKey) -> Reason:
    """Do what the timer is for, if it is due and waiting; any number of wake-ups do it once."""
    execution = lock_execution(session, key.execution_id)
    timer = session.get(Timer, key, populate_existing=True)
    if execution is None or timer is None:
        return _leave(session)
    state = planning_state(session, execution, read_steps(session, execution))
    moment = Moment(database_now(session))
    woken = TimerWoken(TimerKind(timer.kind), TimerStatus(timer.status), timer.due_at)
    decision = decide(state, woken, moment.at)
    if decision.reason is Reason.EARLY:
        due_at = timer.due_at
        session.rollback()
        dispatcher.dispatch(session, [TimerWakeUp(key, due_at)], moment=moment)
        return decision.reason
    if decision.reason is Reason.STALE or not transitions.fire_timer(session, key):
        return _leave(session)
    applied = apply(session, execution, decision)
    if not applied.ok:
        return _leave(session)
    reach(Point.BEFORE_TIMER, session)
    session.commit()
    reach(Point.AFTER_TIMER, session)
    log.info("timer_fired", kind=woken.kind.value, then=decision.reason.value)
    dispatcher.dispatch(session, applied.wake_ups, moment=moment)
    return decision.reason


def _leave(session: Session) -> Reason:
    session.rollback()
    return Reason.STALE
