"""A claim is committed without waiting for the disk, so a crash of the database can lose it, and its worker
lives on. What follows from it must then be refused, even when another has claimed in the meantime, and got
the same number.

The crash itself is played: the row is put back to what it was, which is what recovery from the log does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import ChannelError, Notification
from alertops.escalation.decision import Reason
from alertops.models import Execution
from alertops.services.claim_attempt import Claim, claim_attempt
from alertops.services.keys import AttemptKey
from tests.integration.world import World, node

UNCLAIMED = text("""
    UPDATE attempts SET status = 'scheduled', claim_number = 0, lease_id = NULL, lease_until = NULL
""")


@pytest.fixture
def fired(world: World) -> Execution:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    return execution


@pytest.fixture
def crash(sessions: sessionmaker[Session]) -> Callable[[], None]:
    """The database has lost the claim, and nothing that was flushed before it."""

    def lose_the_claim() -> None:
        with sessions() as session:
            session.execute(UNCLAIMED)
            session.commit()

    return lose_the_claim


@pytest.fixture
def crash_and_claim(
    crash: Callable[[], None], sessions: sessionmaker[Session], fired: Execution
) -> Callable[[], None]:
    """And another worker has claimed since."""

    def lose_and_claim() -> None:
        crash()
        with sessions() as session:
            claim = claim_attempt(session, AttemptKey(fired.id, 1, 1, 1), lease_seconds=15)
        assert isinstance(claim, Claim)
        assert claim.number == 1

    return lose_and_claim


def test_a_claim_that_was_lost_sends_nothing(
    world: World, fired: Execution, crash: Callable[[], None]
) -> None:
    world.channel.on_open = lambda _: crash()
    assert world.send(fired, 1) is Reason.STALE
    assert world.channel.accepted == []
    (attempt,) = world.attempts(fired)
    assert (attempt.status, attempt.transmit_at) == ("scheduled", None)


def test_a_claim_that_was_lost_and_made_by_another_sends_nothing(
    world: World, fired: Execution, crash_and_claim: Callable[[], None]
) -> None:
    world.channel.on_open = lambda _: crash_and_claim()
    assert world.send(fired, 1) is Reason.STALE
    assert world.channel.accepted == []
    (attempt,) = world.attempts(fired)
    assert (attempt.status, attempt.claim_number, attempt.transmit_at) == ("sending", 1, None)


def test_a_claim_that_was_lost_and_made_by_another_records_nothing(
    world: World, fired: Execution, crash_and_claim: Callable[[], None]
) -> None:
    def refuse(_: Notification) -> None:
        crash_and_claim()
        raise ChannelError("550 no such mailbox", permanent=True)

    world.channel.on_open = refuse
    assert world.send(fired, 1) is Reason.STALE
    assert [attempt.status for attempt in world.attempts(fired)] == ["sending"]
    assert world.steps(fired)[1].due_at == world.steps(fired)[1].planned_at
