"""Two at once, in an order that is forced: each waits, in line, for a lock that the test holds.

Whoever waited sees what the other committed. That, and not luck, is why a node fires once and why
nothing is claimed after an acknowledge.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import Notification
from alertops.errors import ConflictError
from alertops.escalation.decision import Reason
from alertops.escalation.states import AttemptStatus
from alertops.models import Attempt, Execution, Step
from alertops.services.acknowledge import acknowledge
from alertops.services.claim_attempt import Claim, NoClaim, claim_attempt
from alertops.services.dispatch import StepWakeUp
from alertops.services.fire_step import fire_step
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.lock import lock_execution
from alertops.services.operate import Answered, By
from alertops.services.record_outcome import Outcome, record_outcome
from alertops.services.resolve import resolve
from alertops.services.send_attempt import send_attempt
from tests.integration.world import Queue, World, node

Sessions = sessionmaker[Session]
FAILED = Outcome(AttemptStatus.FAILED, "450 try later")


class Race:
    """An execution whose first step has fired, and the verbs that may race for its lock."""

    def __init__(self, world: World, sessions: Sessions) -> None:
        self.world, self.sessions = world, sessions
        # An object of the session must not be read from two threads: these ids may.
        self.owner_id: UUID = world.owner.id
        self.execution = world.start(world.flow(node("a", 0), node("b", 600)))
        self.id: UUID = self.execution.id
        world.fire(self.execution, 1)
        self.key = AttemptKey(self.id, 1, 1, 1)

    def queue(self) -> Queue:
        return Queue(self.sessions, lambda holder: lock_execution(holder, self.id))

    def claim(self, session: Session) -> Claim | NoClaim:
        return claim_attempt(session, self.key, lease_seconds=15)

    def acknowledge(self, session: Session) -> Answered:
        return acknowledge(session, self.world.dispatcher, self.id, By(self.owner_id))

    def fire_second(self, session: Session) -> Reason:
        return fire_step(session, self.world.dispatcher, StepKey(self.id, 2))

    def send(self) -> Reason:
        with self.sessions() as session:
            channels = {"email": self.world.channel}
            return send_attempt(session, self.world.dispatcher, channels, self.world.timing, self.key)


@pytest.fixture
def race(world: World, sessions: Sessions) -> Race:
    return Race(world, sessions)


def test_ten_wake_ups_at_once_fire_a_step_once(race: Race) -> None:
    race.world.pass_time(race.execution, 600)
    with race.queue() as queue:
        firing = [queue.submit(race.fire_second) for _ in range(10)]
    reasons = [future.result() for future in firing]
    assert sorted(reasons) == sorted([Reason.DUE] + [Reason.STALE] * 9)
    assert [attempt.step_number for attempt in race.world.attempts(race.execution)] == [1, 2]
    assert race.world.events(race.execution).count("step_fired") == 2


def test_ten_workers_at_once_claim_an_attempt_once(race: Race) -> None:
    with race.queue() as queue:
        claiming = [queue.submit(race.claim) for _ in range(10)]
    answers = [future.result() for future in claiming]
    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    assert {answer.reason for answer in answers if isinstance(answer, NoClaim)} == {Reason.LEASED}
    assert race.world.attempts(race.execution)[0].claim_number == 1


def test_ten_workers_at_once_take_over_an_expired_lease_once(race: Race) -> None:
    race.claim(race.world.session)
    race.world.pass_time(race.execution, 16)
    with race.queue() as queue:
        claiming = [queue.submit(race.claim) for _ in range(10)]
    assert sum(isinstance(future.result(), Claim) for future in claiming) == 1
    assert race.world.attempts(race.execution)[0].claim_number == 2


def test_a_claim_that_waited_for_an_acknowledge_claims_nothing(race: Race) -> None:
    with race.queue() as queue:
        answering = queue.submit(race.acknowledge)
        claiming = queue.submit(race.claim)
    assert answering.result().in_flight == []
    assert claiming.result() == NoClaim(Reason.STALE, [])
    assert [attempt.status for attempt in race.world.attempts(race.execution)] == ["cancelled"]


def test_an_acknowledge_that_waited_for_a_claim_lists_it_as_in_flight(race: Race) -> None:
    with race.queue() as queue:
        claiming = queue.submit(race.claim)
        answering = queue.submit(race.acknowledge)
    assert isinstance(claiming.result(), Claim)
    assert [AttemptKey.of(attempt) for attempt in answering.result().in_flight] == [race.key]


def test_an_acknowledge_that_read_the_execution_before_a_resolve_sees_it_resolved(race: Race) -> None:
    def read_then_acknowledge(session: Session) -> Answered:
        read_before = session.get_one(Execution, race.id)
        assert read_before.status == "running"
        answered = race.acknowledge(session)
        assert answered.execution is read_before
        return answered

    with race.queue() as queue:
        queue.submit(lambda session: resolve(session, race.world.dispatcher, race.id, By(race.owner_id)))
        answering = queue.submit(read_then_acknowledge)
    with pytest.raises(ConflictError, match="resolved"):
        answering.result()
    assert race.world.status(race.execution) == "resolved"


def test_a_step_that_waited_for_an_acknowledge_does_not_fire(race: Race) -> None:
    race.world.pass_time(race.execution, 600)
    with race.queue() as queue:
        queue.submit(race.acknowledge)
        firing = queue.submit(race.fire_second)
    assert firing.result() is Reason.STALE
    assert [step.status for step in race.world.steps(race.execution)] == ["fired", "cancelled"]


def test_an_acknowledge_that_waited_for_a_step_to_fire_cancels_what_it_brought(race: Race) -> None:
    race.world.pass_time(race.execution, 600)
    with race.queue() as queue:
        firing = queue.submit(race.fire_second)
        queue.submit(race.acknowledge)
    assert firing.result() is Reason.DUE
    assert [attempt.status for attempt in race.world.attempts(race.execution)] == ["cancelled"] * 2


@pytest.mark.parametrize(
    ("first", "accepted", "status"), [("mark", 1, "delivered"), ("acknowledge", 0, "cancelled")]
)
def test_a_message_goes_out_only_if_its_mark_was_committed_before_the_acknowledge(
    race: Race, first: str, accepted: int, status: str
) -> None:
    opened, proceed = Event(), Event()

    def wait_to_be_told(_: Notification) -> None:
        opened.set()
        assert proceed.wait(10)

    race.world.channel.on_open = wait_to_be_told
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(race.send)
        assert opened.wait(10)
        with race.queue() as queue:
            line: list[Callable[[], object]] = [
                lambda: queue.line_up(proceed.set),
                lambda: queue.submit(race.acknowledge),
            ]
            for step_up in line if first == "mark" else reversed(line):
                step_up()
        sending.result()
    assert len(race.world.channel.accepted) == accepted
    assert [attempt.status for attempt in race.world.attempts(race.execution)] == [status]
    assert race.world.status(race.execution) == "acknowledged"


@pytest.mark.parametrize(
    ("first", "reason", "statuses"),
    [("record", Reason.RETRY, ["failed", "cancelled"]), ("acknowledge", Reason.STALE, ["failed"])],
)
def test_a_failure_recorded_beside_an_acknowledge_leaves_no_retry_waiting(
    race: Race, first: str, reason: Reason, statuses: list[str]
) -> None:
    claim = race.claim(race.world.session)
    assert isinstance(claim, Claim)

    def record(session: Session) -> Reason:
        return record_outcome(session, race.world.dispatcher, claim, FAILED)

    with race.queue() as queue:
        line: list[Callable[[Session], Answered | Reason]] = [record, race.acknowledge]
        futures: dict[str, Future[Answered | Reason]] = {}
        for act in line if first == "record" else reversed(line):
            futures[act.__name__] = queue.submit(act)
    assert futures["record"].result() is reason
    assert [attempt.status for attempt in race.world.attempts(race.execution)] == statuses


@pytest.mark.parametrize(
    ("outcome", "reasons"),
    [
        (FAILED, [Reason.SETTLED, Reason.EXHAUSTED]),
        (Outcome(AttemptStatus.DELIVERED, "250 taken"), [Reason.REACHED, Reason.REACHED]),
    ],
)
def test_two_last_sends_that_end_at_once_exhaust_the_execution_exactly_once(
    world: World, sessions: Sessions, outcome: Outcome, reasons: list[Reason]
) -> None:
    execution = world.start(world.flow(node("a", 0, attempts=1), node("b", 0, attempts=1)))
    id_ = execution.id
    claims = []
    for step in (1, 2):
        world.fire(execution, step)
        claims.append(claim_attempt(world.session, AttemptKey(id_, step, 1, 1), lease_seconds=15))

    def record(claim: Claim | NoClaim) -> Callable[[Session], Reason]:
        assert isinstance(claim, Claim)
        return lambda session: record_outcome(session, world.dispatcher, claim, outcome)

    with Queue(sessions, lambda holder: lock_execution(holder, id_)) as queue:
        ending = [queue.submit(record(claim)) for claim in claims]
    assert [future.result() for future in ending] == reasons
    assert world.status(execution) == "exhausted"
    assert world.events(execution).count("exhausted") == 1


def test_a_dispatch_mark_passes_by_a_row_that_is_locked_and_marks_the_others(
    world: World, sessions: Sessions
) -> None:
    flow = world.flow(node("a", 600))
    busy, free = (StepKey(world.start(flow).id, 1) for _ in range(2))
    before = {key: world.session.get_one(Step, key).dispatched_at for key in (busy, free)}
    world.session.commit()

    def dispatch(*keys: StepKey) -> int:
        with sessions() as session:
            due_at = session.get_one(Step, keys[0]).due_at
            session.commit()
            return world.dispatcher.dispatch(session, [StepWakeUp(key, due_at) for key in keys])

    row = select(Step).where(Step.execution_id == busy.execution_id).with_for_update(key_share=True)
    with ThreadPoolExecutor(2) as pool, sessions() as holder:
        holder.execute(row)
        marking = [pool.submit(dispatch, busy, free), pool.submit(dispatch, free, busy)]
        # Were they to wait, it would be for us, and the results would never come.
        assert [future.result(timeout=10) for future in marking] == [2, 2]
    world.session.expire_all()
    after = {key: world.session.get_one(Step, key).dispatched_at for key in (busy, free)}
    assert after[busy] == before[busy]
    assert after[free] != before[free]


@pytest.mark.parametrize("moment", ["on_open", "on_transmit"])
def test_no_lock_is_held_while_the_network_is_talked_to(race: Race, moment: str) -> None:
    looked = []

    def lock_everything(_: Notification) -> None:
        with race.sessions() as session:
            for table, column in (
                (Execution, Execution.id),
                (Step, Step.execution_id),
                (Attempt, Attempt.execution_id),
            ):
                session.scalars(select(table).where(column == race.id).with_for_update(nowait=True)).all()
            looked.append(moment)

    setattr(race.world.channel, moment, lock_everything)
    assert race.send() is Reason.REACHED
    assert looked == [moment]
