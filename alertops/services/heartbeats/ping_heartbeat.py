"""A job says that it is well: it is due later, and what its silence has started is over.

::

    lock, by the key ─┬─ pinged within the last second: that ping counts for this one
                      ├─ up:            due later; the wake-up that is on its way will find it so
                      ├─ new, missing:  up, and a wake-up for when it is due
                      └─ paused:        noted
                   and what its silence has started is resolved ─▶ commit ─▶ dispatch

One transaction. Whoever loses the race for the row finds what the other has done: a ping that comes before
the wake-up is in time, and one that comes after it ends what that has begun.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from alertops.db import Moment, database_now
from alertops.errors import AuthenticationError
from alertops.escalation.states import TERMINAL, ExecutionStatus
from alertops.models import Heartbeat
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.access.actor import Monitor
from alertops.services.access.wall import raise_the_wall
from alertops.services.dispatch import Dispatcher
from alertops.services.end_executions import end_executions
from alertops.services.heartbeats.heartbeat_transitions import alert_key, note_ping, watch
from alertops.services.integrations.integration_key import IntegrationKey
from alertops.services.lock import lock_execution
from alertops.services.storms.grouped_alerts import end_alerts

# Pings of one job that come closer count as one; a grace is never shorter, so that none is late by that.
AS_ONE = timedelta(seconds=1)


def ping_heartbeat(session: Session, dispatcher: Dispatcher, key: str) -> HeartbeatStatus:
    """Note the ping, commit and dispatch; how it stands with the job now.

    Raises `AuthenticationError` when the key is none, or none any more.
    """
    heartbeat = _lock(session, key)
    raise_the_wall(session, Monitor(heartbeat.id, heartbeat.team_id))
    moment = Moment(database_now(session))
    if _counts_already(heartbeat, moment):
        return _leave(session, heartbeat)
    started = heartbeat.execution_id
    note_ping(session, heartbeat, moment.at)
    wake_up = None
    if heartbeat.status in (HeartbeatStatus.NEW, HeartbeatStatus.MISSING):
        wake_up = watch(session, heartbeat, moment.at + heartbeat.patience, moment.at)
    if started is not None and heartbeat.resolve_on_ping:
        _resolve(session, heartbeat, started)
    session.commit()
    status = HeartbeatStatus(heartbeat.status)
    dispatcher.dispatch(session, [wake_up] if wake_up else [], moment=moment)
    return status


def _lock(session: Session, text: str) -> Heartbeat:
    """The heartbeat that the key is of, locked."""
    key = IntegrationKey.parse(text)
    found = session.scalars(_of_key(key)).one_or_none() if key else None
    if found is None:
        session.rollback()
        raise AuthenticationError("The key is not valid here.")
    return found


def _of_key(key: IntegrationKey) -> Select[Heartbeat]:
    replaced = (Heartbeat.old_hash == key.hash) & (Heartbeat.old_until > func.clock_timestamp())
    return (
        select(Heartbeat)
        .where(or_(Heartbeat.hash == key.hash, replaced))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def _counts_already(heartbeat: Heartbeat, moment: Moment) -> bool:
    """Whether there is nothing to write: so a job that pings without end costs no more than a look."""
    last = heartbeat.last_ping_at
    settled = heartbeat.status in (HeartbeatStatus.UP, HeartbeatStatus.PAUSED)
    return settled and heartbeat.execution_id is None and last is not None and moment.at - last < AS_ONE


def _leave(session: Session, heartbeat: Heartbeat) -> HeartbeatStatus:
    """Nothing was written, and a commit of the lock alone would wait for the disk."""
    status = HeartbeatStatus(heartbeat.status)
    session.rollback()
    return status


def _resolve(session: Session, heartbeat: Heartbeat, execution_id: UUID) -> None:
    """End what its silence has started, unless somebody has."""
    execution = lock_execution(session, execution_id)
    if execution is not None and execution.status not in TERMINAL:
        ended = end_alerts(session, [(execution, alert_key(heartbeat))])
        end_executions(session, ended, ExecutionStatus.RESOLVED, heartbeat.id, heartbeat=heartbeat.name)
