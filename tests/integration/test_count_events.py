"""What the timelines tell is counted once: whatever commits in which order, and whoever dies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import Certainty, ChannelError
from alertops.models import EventsCounted, EventTotal, Execution, Step
from alertops.services.acknowledge import acknowledge
from alertops.services.count_events import count_events
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from alertops.services.retention.over import Ages, sweeps
from alertops.services.retention.prune import prune
from alertops.services.timeline import tell
from tests.integration.world import World, node

Sessions = sessionmaker[Session]


class Counting:
    """Runs the count, and reads what it has come to."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def run(self) -> None:
        with self._sessions() as session:
            count_events(session)

    def totals(self, event: str) -> int:
        with self._sessions() as session:
            query = select(EventTotal.rows).where(EventTotal.event == event)
            return sum(session.scalars(query))

    def late(self, event: str) -> dict[float, int]:
        with self._sessions() as session:
            query = select(EventTotal.late_up_to, EventTotal.rows).where(EventTotal.event == event)
            return {row.late_up_to: row.rows for row in session.execute(query)}


@pytest.fixture
def counting(sessions: Sessions) -> Counting:
    return Counting(sessions)


@pytest.fixture
def execution(world: World) -> Execution:
    return world.start(world.flow(node("a", 0), node("b", 600)))


class Teller:
    """A transaction that tells of an execution of its own, and ends when it is told to."""

    def __init__(self, sessions: Sessions, world: World) -> None:
        self._id = world.start(world.flow(node("a", 0))).id
        self._session = sessions()
        self.told = 0

    def tell(self) -> None:
        lock_execution(self._session, self._id)
        tell(self._session, self._id, "tried")
        self.told += 1

    def commit(self) -> int:
        self._session.commit()
        return self._forget()

    def roll_back(self) -> int:
        self._session.rollback()
        self._forget()
        return 0

    def _forget(self) -> int:
        told, self.told = self.told, 0
        return told

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def tellers(sessions: Sessions, world: World) -> Iterator[list[Teller]]:
    tellers = [Teller(sessions, world) for _ in range(4)]
    yield tellers
    for teller in tellers:
        teller.close()


def test_an_entry_that_commits_after_a_younger_one_was_seen_is_counted(
    counting: Counting, tellers: list[Teller]
) -> None:
    slow, quick, *_ = tellers
    counting.run()
    slow.tell()
    quick.tell()
    quick.commit()
    # The younger entry is there, the older one is not: a count up to the newest would lose it for ever.
    for _ in range(3):
        counting.run()
    assert counting.totals("tried") == 0
    slow.commit()
    for _ in range(3):
        counting.run()
    assert counting.totals("tried") == 2


def test_what_was_told_before_a_long_transaction_began_is_not_kept_waiting_for_it(
    counting: Counting, tellers: list[Teller]
) -> None:
    early, late, *_ = tellers
    early.tell()
    early.commit()
    counting.run()
    late.tell()
    assert counting.totals("tried") == 1


@pytest.mark.parametrize("seed", range(8))
def test_in_whatever_order_transactions_end_each_entry_is_counted_once(
    counting: Counting, tellers: list[Teller], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertops.services.count_events.PAGE", 3)
    chance, committed, before = random.Random(seed), 0, 0  # noqa: S311  a test, which is to be repeatable
    for _ in range(60):
        teller = chance.choice(tellers)
        match chance.choice(["tell", "tell", "commit", "roll back", "count"]):
            case "tell":
                teller.tell()
            case "commit":
                committed += teller.commit()
            case "roll back":
                committed += teller.roll_back()
            case "count":
                counting.run()
        so_far = counting.totals("tried")
        assert before <= so_far <= committed
        before = so_far
    committed += sum(teller.commit() for teller in tellers)
    counting.run()
    counting.run()
    assert counting.totals("tried") == committed > 0


def test_two_who_count_at_the_same_time_count_each_entry_once(
    sessions: Sessions, counting: Counting, world: World, execution: Execution
) -> None:
    for number in range(1, 201):
        lock_execution(world.session, execution.id)
        tell(world.session, execution.id, "tried", number=number)
    world.session.commit()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: counting.run(), range(8)))
    assert counting.totals("tried") == 200


def test_who_dies_in_the_middle_has_counted_nothing_of_the_page(
    sessions: Sessions,
    counting: Counting,
    world: World,
    execution: Execution,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counting.run()
    tell(world.session, execution.id, "tried")
    world.session.commit()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    # It has counted, and not yet said how far: the transaction ends with it.
    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", die)
        with pytest.raises(KeyboardInterrupt):
            counting.run()
    counting.run()
    counting.run()
    assert counting.totals("tried") == 1


def test_a_database_that_was_restored_into_a_younger_server_goes_on_counting(
    counting: Counting, world: World, execution: Execution
) -> None:
    counting.run()
    tell(world.session, execution.id, "tried")
    # What the other server's transactions were numbered is far ahead of this one's.
    world.session.execute(text("UPDATE events_counted SET next_after = 9000000000000000"))
    world.session.commit()
    counting.run()
    counting.run()
    assert counting.totals("tried") == 1


def test_a_step_is_counted_by_its_lateness_and_an_attempt_by_channel_outcome_and_lateness(
    counting: Counting, world: World
) -> None:
    flow = world.flow(node("a", 60))
    for late in (61, 65, 65, 3661):
        execution = world.start(flow)
        world.pass_time(execution, late)
        world.fire(execution, 1)
    world.send(execution, 1)
    counting.run()
    fired = counting.late("step_fired")
    assert fired == {2.5: 1, 10.0: 2, float("inf"): 1}
    assert counting.late("attempt_delivered") == {float("inf"): 1}
    with_channel = select(EventTotal.channel).where(EventTotal.event == "attempt_delivered")
    assert world.session.scalars(with_channel).all() == ["email"]
    seconds = select(EventTotal.seconds).where(EventTotal.event == "step_fired", EventTotal.rows == 2)
    assert world.session.scalar(seconds) == pytest.approx(10, abs=4)


def test_outcomes_are_counted_as_they_were_recorded(counting: Counting, world: World) -> None:
    def lose_the_line(_: object) -> None:
        raise ChannelError("the line is dead")

    def lose_the_answer(_: object) -> None:
        raise ChannelError("the line is dead", certainty=Certainty.UNKNOWN)

    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    world.channel.on_open = lose_the_line
    world.send(execution, 1)
    world.channel.on_open = lambda _: None
    world.channel.on_transmit = lose_the_answer
    world.pass_time(execution, 60)
    world.send(execution, 1, 2)
    counting.run()
    recorded = Counter(attempt.status for attempt in world.attempts(execution) if attempt.finished_at)
    assert {status: counting.totals(f"attempt_{status}") for status in recorded} == dict(recorded)
    assert len(recorded) == 2


def test_a_send_that_may_have_arrived_and_is_made_again_is_counted_as_a_repeat(
    counting: Counting, world: World, execution: Execution
) -> None:
    def die(_: object) -> None:
        raise KeyboardInterrupt

    world.fire(execution, 1)
    for behaviour, repeats in (("on_open", 0), ("on_transmit", 1)):
        setattr(world.channel, behaviour, die)
        with pytest.raises(KeyboardInterrupt):
            world.send(execution, 1)
        world.session.rollback()
        setattr(world.channel, behaviour, lambda _: None)
        world.pass_time(execution, 30)
        world.send(execution, 1)
        counting.run()
        assert counting.totals("attempt_repeated") == repeats
        execution = world.start(world.flow(node("a", 0), node("b", 600)))
        world.fire(execution, 1)


def test_what_was_counted_outlives_what_it_was_counted_from(
    counting: Counting, world: World, execution: Execution
) -> None:
    world.fire(execution, 1)
    world.send(execution, 1)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    world.session.execute(
        text("UPDATE executions SET status = 'resolved', ended_at = now() - interval '2 days'")
    )
    world.session.commit()
    counting.run()
    names = ("step_fired", "attempt_delivered", "started", "acknowledged")
    before = {name: counting.totals(name) for name in names}
    assert before == dict.fromkeys(names, 1)
    at = world.session.execute(text("SELECT now()")).scalar_one()
    world.session.rollback()
    for sweep in sweeps(Ages(timedelta(days=1)), at):
        list(prune(world.session, sweep, rest=lambda _: None))
    assert world.session.scalars(select(Step)).all() == []
    counting.run()
    assert {name: counting.totals(name) for name in names} == before


def test_an_entry_that_is_not_as_expected_does_not_stop_the_count(
    counting: Counting, world: World, execution: Execution
) -> None:
    counting.run()
    for event in ("step_fired", "attempt_delivered", "attempt_claimed_again", "tried"):
        tell(world.session, execution.id, event, may_repeat="perhaps")
    world.session.commit()
    counting.run()
    assert counting.totals("tried") == counting.totals("attempt_delivered") == 1


def test_a_long_backlog_is_counted_in_pages_each_of_them_kept(
    counting: Counting, world: World, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertops.services.count_events.PAGE", 10)
    monkeypatch.setattr("alertops.services.count_events.PAGES", 3)
    counting.run()
    for number in range(55):
        tell(world.session, execution.id, "tried", number=number)
    world.session.commit()
    counted = []
    for _ in range(4):
        counting.run()
        counted.append(counting.totals("tried"))
    assert counted[0] < counted[1] < counted[-1] == 55


def test_how_far_it_is_counted_is_told_as_a_time_that_goes_on_when_nothing_happens(
    counting: Counting, world: World
) -> None:
    def as_of() -> object:
        world.session.expire_all()
        return world.session.scalars(select(EventsCounted.as_of)).one()

    counting.run()
    counting.run()
    first = as_of()
    world.session.rollback()
    counting.run()
    assert first is not None
    assert as_of() > first  # type: ignore[operator]
