"""Workers die in the middle of a send. What then is sent again, what is held, and who may still speak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import ChannelError, Notification
from alertops.escalation.decision import Reason
from alertops.escalation.flow import OnUnknown
from alertops.escalation.machine import MAX_CLAIMS
from alertops.models import Execution, Step, TimelineEntry
from alertops.services.acknowledge import acknowledge
from alertops.services.claim_attempt import Claim, claim_attempt
from alertops.services.keys import AttemptKey
from alertops.services.locked_attempt import ToRecord, lock_to_record
from alertops.services.operate import By
from tests.integration.world import World, node

PAST_THE_LEASE = 16


class WorkerDiedError(BaseException):
    """Like a kill: nothing in the services catches it, and nothing after it happens."""


def die(_: Notification) -> None:
    raise WorkerDiedError


def fine(_: Notification) -> None:
    pass


def fired(world: World, on_unknown: OnUnknown = OnUnknown.RESEND) -> Execution:
    """An execution whose first attempt is to be sent, and whose second step is due in ten minutes."""
    execution = world.start(world.flow(node("a", 0, on_unknown=on_unknown), node("b", 600)))
    world.fire(execution, 1)
    return execution


def die_sending(world: World, execution: Execution, *, transmitted: bool) -> None:
    """A worker claims the attempt and dies, before or after the point of no return; then its lease ends."""
    world.channel.on_open = fine if transmitted else die
    world.channel.on_transmit = die if transmitted else fine
    with pytest.raises(WorkerDiedError):
        world.send(execution, 1)
    world.session.rollback()
    world.channel.on_open = world.channel.on_transmit = fine
    world.pass_time(execution, PAST_THE_LEASE)


def claimed_again(world: World, execution: Execution) -> list[dict[str, object]]:
    """What the timeline tells of takeovers."""
    entries = world.session.query(TimelineEntry).filter_by(
        execution_id=execution.id, event="attempt_claimed_again"
    )
    return [entry.detail for entry in entries.order_by(TimelineEntry.id)]


def test_a_worker_that_died_before_transmitting_is_replaced_without_a_risk_of_a_repeat(world: World) -> None:
    execution = fired(world)
    die_sending(world, execution, transmitted=False)
    assert world.send(execution, 1) is Reason.REACHED
    assert [notification.may_repeat for notification in world.channel.accepted] == [False]
    assert claimed_again(world, execution) == [{"reason": "reclaim", "may_repeat": False}]
    (attempt,) = world.attempts(execution)
    assert (attempt.status, attempt.claim_number, attempt.may_repeat) == ("delivered", 2, False)


def test_a_worker_that_died_while_transmitting_is_replaced_and_the_repeat_is_said(world: World) -> None:
    execution = fired(world)
    seen: list[Notification] = []
    world.channel.on_open = seen.append
    world.channel.on_transmit = die
    with pytest.raises(WorkerDiedError):
        world.send(execution, 1)
    world.pass_time(execution, PAST_THE_LEASE)
    world.channel.on_transmit = fine
    assert world.send(execution, 1) is Reason.REACHED
    assert [notification.may_repeat for notification in seen] == [False, True]
    assert seen[0].key == seen[1].key == f"{execution.id}.1.1"
    assert claimed_again(world, execution) == [{"reason": "resend", "may_repeat": True}]


def test_once_a_message_may_have_arrived_every_later_try_says_so(world: World) -> None:
    execution = fired(world)
    die_sending(world, execution, transmitted=True)
    die_sending(world, execution, transmitted=False)

    def refuse(_: Notification) -> None:
        raise ChannelError("450 try later")

    world.channel.on_open = refuse
    assert world.send(execution, 1) is Reason.RETRY
    world.channel.on_open = fine
    world.pass_time(execution, 10)
    world.send(execution, 1, 2)
    assert claimed_again(world, execution) == [
        {"reason": "resend", "may_repeat": True},
        {"reason": "reclaim", "may_repeat": True},
    ]
    assert [(n.attempt, n.may_repeat) for n in world.channel.accepted] == [(2, True)]


def test_a_node_that_holds_calls_it_unknown_and_escalates_instead_of_sending_again(world: World) -> None:
    execution = fired(world, OnUnknown.HOLD)
    die_sending(world, execution, transmitted=True)
    assert world.send(execution, 1) is Reason.HELD
    assert world.channel.accepted == []
    assert [attempt.status for attempt in world.attempts(execution)] == ["unknown"]
    assert world.events(execution)[-2:] == ["attempt_unknown", "step_brought_forward"]
    assert world.publisher.messages[-1].args == (str(execution.id), 2)
    assert world.fire(execution, 2) is Reason.DUE


def test_a_node_that_holds_sends_again_what_was_never_transmitted(world: World) -> None:
    execution = fired(world, OnUnknown.HOLD)
    die_sending(world, execution, transmitted=False)
    assert world.send(execution, 1) is Reason.REACHED


def test_a_lease_that_runs_is_respected_and_looked_at_again_when_it_ends(world: World) -> None:
    execution = fired(world)
    claim_attempt(world.session, AttemptKey(execution.id, 1, 1, 1), lease_seconds=15)
    world.pass_time(execution, 5)
    assert world.send(execution, 1) is Reason.LEASED
    assert world.channel.accepted == []
    again = world.publisher.messages[-1]
    assert (again.task, again.args) == ("alertops.send_attempt", (str(execution.id), 1, 1, 1))
    assert 9 < again.delay_seconds <= 10


def another_worker_claims(world: World, sessions: sessionmaker[Session], execution: Execution) -> None:
    world.pass_time(execution, PAST_THE_LEASE)
    with sessions() as other:
        claim = claim_attempt(other, AttemptKey(execution.id, 1, 1, 1), lease_seconds=15)
    assert isinstance(claim, Claim)


def once(act: Callable[[], None]) -> Callable[[Notification], None]:
    return lambda _: act()


def test_a_worker_that_lost_its_lease_transmits_nothing_while_the_new_one_is_sending(
    world: World, sessions: sessionmaker[Session]
) -> None:
    execution = fired(world)
    world.channel.on_open = once(lambda: another_worker_claims(world, sessions, execution))
    assert world.send(execution, 1) is Reason.STALE
    assert world.channel.accepted == []
    (attempt,) = world.attempts(execution)
    assert (attempt.status, attempt.claim_number, attempt.transmit_at) == ("sending", 2, None)


def test_a_worker_whose_lease_is_nearly_over_transmits_nothing_though_nobody_took_over(world: World) -> None:
    execution = fired(world)
    # 15 s of lease; after 11, what is left is less than a transmission may take.
    world.channel.on_open = once(lambda: world.pass_time(execution, 11))
    assert world.send(execution, 1) is Reason.STALE
    assert world.channel.accepted == []
    world.channel.on_open = fine
    world.pass_time(execution, 5)
    assert world.send(execution, 1) is Reason.REACHED
    assert [notification.may_repeat for notification in world.channel.accepted] == [False]


@pytest.mark.parametrize("refused", [False, True])
def test_a_worker_that_lost_its_lease_while_transmitting_records_nothing(
    world: World, sessions: sessionmaker[Session], refused: bool
) -> None:
    execution = fired(world)

    def lose_the_lease(_: Notification) -> None:
        another_worker_claims(world, sessions, execution)
        if refused:
            raise ChannelError("550 no such mailbox", permanent=True)

    world.channel.on_transmit = lose_the_lease
    assert world.send(execution, 1) is Reason.STALE
    (attempt,) = world.attempts(execution)
    assert (attempt.status, attempt.claim_number, attempt.may_repeat) == ("sending", 2, True)
    assert world.steps(execution)[1].due_at == world.steps(execution)[1].planned_at
    assert world.events(execution)[-1] == "attempt_claimed_again"


def test_a_late_outcome_counts_as_long_as_nobody_else_has_claimed(world: World) -> None:
    execution = fired(world)
    world.channel.on_transmit = once(lambda: world.pass_time(execution, PAST_THE_LEASE))
    assert world.send(execution, 1) is Reason.REACHED
    assert [attempt.status for attempt in world.attempts(execution)] == ["delivered"]


def test_a_message_that_takes_every_worker_down_is_given_up_and_escalated(world: World) -> None:
    execution = fired(world)
    for _ in range(MAX_CLAIMS):
        die_sending(world, execution, transmitted=False)
    assert world.send(execution, 1) is Reason.GAVE_UP
    (attempt,) = world.attempts(execution)
    assert (attempt.status, attempt.claim_number) == ("failed", MAX_CLAIMS)
    assert world.channel.accepted == []
    assert world.fire(execution, 2) is Reason.DUE


@pytest.mark.parametrize(("transmitted", "status"), [(True, "unknown"), (False, "cancelled")])
def test_a_send_whose_worker_died_is_closed_after_an_acknowledge_and_never_sent_again(
    world: World, transmitted: bool, status: str
) -> None:
    execution = fired(world)
    die_sending(world, execution, transmitted=transmitted)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert [world.send(execution, 1) for _ in range(2)] == [Reason.STALE] * 2
    assert [attempt.status for attempt in world.attempts(execution)] == [status]
    assert world.channel.accepted == []
    assert world.status(execution) == "acknowledged"


def test_what_may_have_arrived_is_not_called_failed_because_a_later_worker_died_sooner(world: World) -> None:
    execution = fired(world)
    die_sending(world, execution, transmitted=True)
    for _ in range(MAX_CLAIMS - 1):
        die_sending(world, execution, transmitted=False)
    world.send(execution, 1)
    assert [attempt.status for attempt in world.attempts(execution)] == ["unknown"]


def test_an_outcome_is_kept_when_the_next_step_comes_due_while_it_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = fired(world)

    def just_before(session: Session, key: AttemptKey) -> ToRecord | None:
        due_at = session.scalars(select(Step.due_at).where(Step.number == 2)).one()
        seen = lock_to_record(session, key)
        return seen and replace(seen, now=due_at - due_at.resolution)

    # The decision is taken a moment before the second step is due, and applied a moment after.
    monkeypatch.setattr("alertops.services.record_outcome.lock_to_record", just_before)

    def refuse_late(_: Notification) -> None:
        world.session.execute(update(Step).where(Step.number == 2).values(due_at=func.now()))
        world.session.commit()
        raise ChannelError("550 no such mailbox", permanent=True)

    world.channel.on_open = refuse_late
    world.send(execution, 1)
    assert [attempt.status for attempt in world.attempts(execution)] == ["failed"]
