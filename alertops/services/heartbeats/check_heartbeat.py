"""A wake-up looks whether a job has pinged: if not, its flow starts, in the transaction that says so.

::

    wake-up ─▶ lock ─┬─ paused, deleted, or not the last wake-up that was set: stale, leave
                     ├─ woken early: wake again for what remains
                     ├─ pinged since: the next wake-up, when it is due now ─▶ commit ─▶ dispatch
                     ├─ its team is beyond its limit: the next wake-up, when it may open executions again
                     └─ silent: missing, an execution begins ─▶ commit ─▶ dispatch

So a job that pings every second costs a wake-up a period, and no message for each ping. A ping and a wake-up
that come at the same moment meet at the row's lock: whoever is first decides, and the other finds it so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.db import Moment, commit_without_flush, database_now
from alertops.errors import ThrottledError
from alertops.models import Heartbeat
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.alert_limit import AlertLimit
from alertops.services.alerts import Alert, StartRequest
from alertops.services.begin_executions import commit
from alertops.services.dispatch import Dispatcher, HeartbeatWakeUp
from alertops.services.heartbeats.heartbeat_transitions import alert_key, miss, wake_again
from alertops.services.keys import HeartbeatKey
from alertops.services.start_executions import MAX_TRIES, dispatch_opened, open_or_join_all

log = structlog.get_logger(__name__)


class Found(StrEnum):
    """What a wake-up found."""

    STALE = "stale"
    EARLY = "early"
    PINGED = "pinged"
    PUT_OFF = "put_off"
    MISSING = "missing"


def check_heartbeat(
    session: Session, dispatcher: Dispatcher, key: HeartbeatKey, limit: AlertLimit | None = None
) -> Found:
    """Start the flow of a job that is silent; any number of wake-ups do it once."""
    for _ in range(MAX_TRIES):
        found = _check(session, dispatcher, key, limit)
        if found is not None:
            return found
        session.rollback()
    log.error("heartbeat_starts_nothing", heartbeat=str(key.heartbeat_id), next="recovery wakes it again")
    return Found.STALE


def _check(
    session: Session, dispatcher: Dispatcher, key: HeartbeatKey, limit: AlertLimit | None
) -> Found | None:
    """None when the execution that it joins has just ended: begin anew."""
    heartbeat = _lock(session, key)
    if heartbeat is None or heartbeat.wake_at is None or heartbeat.due_at is None:
        session.rollback()
        return Found.STALE
    moment = Moment(database_now(session))
    if moment.at < (wake_at := heartbeat.wake_at):
        session.rollback()
        dispatcher.dispatch(session, [HeartbeatWakeUp(key, wake_at)], moment=moment)
        return Found.EARLY
    if moment.at < heartbeat.due_at:
        _wake_again(session, dispatcher, heartbeat, heartbeat.due_at, moment)
        return Found.PINGED
    try:
        return _miss(session, dispatcher, heartbeat, moment, limit)
    except ThrottledError as error:  # which has let the lock go
        if (heartbeat := _lock(session, key)) is None:
            session.rollback()
            return Found.STALE
        later = moment.at + timedelta(seconds=error.retry_after)
        _wake_again(session, dispatcher, heartbeat, later, moment)
        return Found.PUT_OFF


def _lock(session: Session, key: HeartbeatKey) -> Heartbeat | None:
    """The heartbeat, locked, if it waits for this wake-up."""
    return session.scalars(
        select(Heartbeat)
        .where(
            Heartbeat.id == key.heartbeat_id,
            Heartbeat.status == HeartbeatStatus.UP,
            Heartbeat.wake_number == key.wake,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _wake_again(
    session: Session, dispatcher: Dispatcher, heartbeat: Heartbeat, wake_at: datetime, moment: Moment
) -> None:
    """A crash may forget it: then recovery wakes by the number before, and this is found again."""
    wake_up = wake_again(session, heartbeat, wake_at, moment.at)
    commit_without_flush(session)
    session.commit()
    dispatcher.dispatch(session, [wake_up] if wake_up else [], moment=moment)


def _miss(
    session: Session,
    dispatcher: Dispatcher,
    heartbeat: Heartbeat,
    moment: Moment,
    limit: AlertLimit | None,
) -> Found | None:
    said = {"heartbeat": heartbeat.name}
    request = StartRequest(heartbeat.flow_id, _alert(heartbeat), said, actor_id=heartbeat.id)
    batch = open_or_join_all(session, [request], team_id=heartbeat.team_id, limit=limit)
    if batch is None or not miss(session, heartbeat, batch.started[0].execution.id, moment.at):
        return None
    commit(session, opened=batch.opened, joined=batch.joined)
    log.info("heartbeat_missing", heartbeat=str(heartbeat.id))
    dispatch_opened(session, dispatcher, batch, limit)
    return Found.MISSING


def _alert(heartbeat: Heartbeat) -> Alert:
    last, due_at = heartbeat.last_ping_at, heartbeat.due_at
    details = {
        "heartbeat_id": str(heartbeat.id),
        "last_ping_at": last.isoformat() if last else None,
        "due_at": due_at.isoformat() if due_at else None,
        "every_seconds": heartbeat.every_seconds,
        "grace_seconds": heartbeat.grace_seconds,
    }
    return Alert(f"{heartbeat.name} is silent", heartbeat.severity, details, alert_key(heartbeat))
