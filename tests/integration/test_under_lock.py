"""A lock and a read that are sent together are two statements: the read sees what the lock waited for."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from alertops.escalation.states import AttemptStatus, StepStatus
from alertops.models import Execution
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.lock import lock_execution
from alertops.services.locked_attempt import lock_to_claim, lock_to_record
from alertops.services.locked_step import lock_to_fire
from tests.integration.world import Queue, World, node

CHANGE = text("""
    UPDATE steps SET status = 'cancelled' WHERE number = 2;
    UPDATE attempts SET status = 'cancelled', finished_at = now();
    UPDATE executions SET status = 'acknowledged', acknowledged_at = now()
""")


def fired(world: World) -> Execution:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    return execution


def test_what_is_read_is_as_it_was_left_by_whoever_had_the_lock_before(
    world: World, sessions: sessionmaker[Session]
) -> None:
    id_ = fired(world).id
    key = AttemptKey(id_, 1, 1, 1)

    def change(holder: Session) -> None:
        lock_execution(holder, id_)
        holder.execute(CHANGE)

    with Queue(sessions, change) as queue:
        claiming = queue.submit(lambda session: lock_to_claim(session, key))
        recording = queue.submit(lambda session: lock_to_record(session, key))
        firing = queue.submit(lambda session: lock_to_fire(session, StepKey(id_, 2)))
        queue.holder.commit()
    claim, record, fire = claiming.result(), recording.result(), firing.result()
    assert claim is not None
    assert record is not None
    assert fire is not None
    assert {seen.execution.status for seen in (claim, record, fire)} == {"acknowledged"}
    assert (claim.attempt.status, record.attempt.status) == (AttemptStatus.CANCELLED, AttemptStatus.CANCELLED)
    assert record.progress.waiting is None
    assert fire.step.status == StepStatus.CANCELLED


def test_the_lock_is_kept_until_the_transaction_ends(world: World, sessions: sessionmaker[Session]) -> None:
    id_ = fired(world).id
    with Queue(sessions, lambda holder: lock_to_claim(holder, AttemptKey(id_, 1, 1, 1))) as queue:
        # Returns when it waits.
        queue.submit(lambda session: lock_execution(session, id_))
