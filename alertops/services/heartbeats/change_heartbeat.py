"""What is expected of a job changes; it is paused or resumed, gets another key, or is deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from alertops.db import Moment, database_now
from alertops.errors import NotFoundError
from alertops.models import Heartbeat
from alertops.models.heartbeat import HeartbeatStatus
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.access.door import find_heartbeat
from alertops.services.dispatch import Dispatcher, HeartbeatWakeUp
from alertops.services.heartbeats.heartbeat_transitions import expect_first_ping, pause, put_off, watch
from alertops.services.heartbeats.make_heartbeat import MadeHeartbeat, require_flow, told_of
from alertops.services.integrations.integration_key import IntegrationKey


def change_heartbeat(
    session: Session, dispatcher: Dispatcher, asking: Asking, heartbeat_id: UUID, changes: Mapping[str, Any]
) -> Heartbeat:
    """Change what is named, commit and dispatch. `paused` is a change of state; the others are columns.

    Raises `InvalidInputError` where the flow starts nothing.
    """
    columns = {name: value for name, value in changes.items() if name != "paused"}
    with _locked(session, asking, heartbeat_id) as heartbeat:
        if "flow_id" in columns:
            require_flow(session, heartbeat.team_id, columns["flow_id"])
        before, expected = told_of(heartbeat), heartbeat.patience
        for name, value in columns.items():
            setattr(heartbeat, name, value)
        session.flush()
        moment = Moment(database_now(session))
        changed = heartbeat.patience != expected
        wake_up = _change_state(session, heartbeat, changes.get("paused"), moment, changed=changed)
        _tell(session, asking, heartbeat, before)
    dispatcher.dispatch(session, [wake_up] if wake_up else [], moment=moment)
    return heartbeat


def rotate_heartbeat_key(
    session: Session, asking: Asking, heartbeat_id: UUID, *, keep_old_seconds: int
) -> MadeHeartbeat:
    """Make another key and commit. The one before it stays good for so long, those before that one do not."""
    key = IntegrationKey.new()
    with _locked(session, asking, heartbeat_id) as heartbeat:
        before = {"prefix": heartbeat.prefix}
        heartbeat.old_hash, heartbeat.old_until = None, None
        if keep_old_seconds:
            heartbeat.old_hash = heartbeat.hash
            heartbeat.old_until = func.clock_timestamp() + timedelta(seconds=keep_old_seconds)
        heartbeat.hash, heartbeat.prefix = key.hash, key.prefix
        after = {"prefix": key.prefix, "keep_old_seconds": keep_old_seconds}
        _audit(session, asking, heartbeat, "heartbeat.key_rotated", before, after)
        session.flush()
        session.refresh(heartbeat)
    return MadeHeartbeat(heartbeat, key.text)


def delete_heartbeat(session: Session, asking: Asking, heartbeat_id: UUID) -> None:
    """Delete it and commit: its key is good for nothing. What its silence has started goes on."""
    with _locked(session, asking, heartbeat_id) as heartbeat:
        _audit(session, asking, heartbeat, "heartbeat.deleted", told_of(heartbeat), None)
        session.delete(heartbeat)


def _change_state(
    session: Session, heartbeat: Heartbeat, paused: bool | None, moment: Moment, *, changed: bool
) -> HeartbeatWakeUp | None:
    """What is to be woken, if another time counts now, or it is resumed."""
    is_paused = heartbeat.status == HeartbeatStatus.PAUSED
    if paused and not is_paused:
        pause(session, heartbeat)
    elif paused is False and is_paused:
        return _resume(session, heartbeat, moment)
    elif changed and heartbeat.status == HeartbeatStatus.UP:
        return _expect(session, heartbeat, moment)
    return None


def _resume(session: Session, heartbeat: Heartbeat, moment: Moment) -> HeartbeatWakeUp | None:
    """A job that has pinged at some time has to do so within a period; waiting for it could be for ever."""
    if heartbeat.last_ping_at is None:
        expect_first_ping(session, heartbeat)
        return None
    return watch(session, heartbeat, moment.at + heartbeat.patience, moment.at)


def _expect(session: Session, heartbeat: Heartbeat, moment: Moment) -> HeartbeatWakeUp | None:
    """Due by what is expected now, counted from the last ping.

    If that is over already, it is counted from now: nobody had asked for a ping so soon. What comes before
    the wake-up that is on its way needs one of its own.
    """
    counted = (heartbeat.last_ping_at or moment.at) + heartbeat.patience
    due_at = counted if counted > moment.at else moment.at + heartbeat.patience
    if heartbeat.wake_at is not None and heartbeat.wake_at <= due_at:
        put_off(session, heartbeat, due_at)
        return None
    return watch(session, heartbeat, due_at, moment.at)


@contextmanager
def _locked(session: Session, asking: Asking, heartbeat_id: UUID) -> Iterator[Heartbeat]:
    """The heartbeat, locked, for somebody who may do what they ask for; committed at the end."""
    heartbeat = find_heartbeat(session, asking, heartbeat_id)
    lock = select(Heartbeat).where(Heartbeat.id == heartbeat_id).with_for_update(key_share=True)
    try:
        session.scalars(lock.execution_options(populate_existing=True)).one()
        yield heartbeat
        session.flush()
    except NoResultFound as error:
        session.rollback()
        raise NotFoundError("There is no such heartbeat, or none that you may see.") from error
    except BaseException:
        session.rollback()  # lets the lock go
        raise
    session.commit()


def _tell(session: Session, asking: Asking, heartbeat: Heartbeat, before: dict[str, Any]) -> None:
    after = told_of(heartbeat)
    told = {name for name in after if after[name] != before[name]}
    if told:
        only = ({name: said[name] for name in told} for said in (before, after))
        _audit(session, asking, heartbeat, "heartbeat.changed", *only)


def _audit(
    session: Session, asking: Asking, heartbeat: Heartbeat, action: str, *told: dict[str, Any] | None
) -> None:
    """`told` are what it was before, and what it is now."""
    before, after = told
    audit(session, heartbeat.team_id, asking.actor, action, heartbeat.id, before=before, after=after)
