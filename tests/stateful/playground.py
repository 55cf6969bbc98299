"""One execution, two workers and a person, and every move of theirs held against the oracle."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations_with_replacement
from typing import Any
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import database_now
from alertops.escalation.flow import Flow
from alertops.escalation.states import UNFINISHED, AttemptStatus
from alertops.models import Execution
from alertops.services.dispatch import Dispatcher
from alertops.services.recover import recover
from tests.integration.recovering import Markers
from tests.integration.world import World
from tests.stateful.moves import Cast, Key, Move, key_of
from tests.stateful.oracle import Fate, Oracle
from tests.stateful.outside import Mood, MoodyBroker
from tests.stateful.strands import BETWEEN, INSIDE
from tests.unit.engine import RUNNING

NO_SLACK = timedelta()
SOMEBODY_WAITS = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock')"
)
ENDINGS = text("""
    SELECT step_number, target_number, attempt_number, array_agg(event) FROM timeline
    WHERE execution_id = :id
        AND event IN ('attempt_delivered', 'attempt_failed', 'attempt_unknown', 'attempt_cancelled')
    GROUP BY 1, 2, 3 HAVING count(*) > 1
""")
FORGOTTEN = text("""
    SELECT number FROM steps WHERE execution_id = :id AND status = 'waiting' AND dispatched_at IS NULL
        AND created_at < clock_timestamp() - :patience
        AND (due_at > clock_timestamp() OR due_at < clock_timestamp() - :patience)
""")
MAX_ROUNDS = 60
# Mark, transmit, record.
MOVES_OF_A_SEND = 3


class Playground:
    def __init__(self, world: World, sessions: sessionmaker[Session]) -> None:
        self.world, self.sessions = world, sessions
        self.broker, self.markers = MoodyBroker(), Markers()
        self.world.dispatcher = Dispatcher(self.broker)
        self.cast = Cast(sessions, world.dispatcher, world.owner.id)
        self.oracle: Oracle | None = None
        # From the begin of a move until every row was found to be as it should.
        self.in_doubt = False

    # ---- how it stands

    @property
    def running(self) -> bool:
        return self.known.engine.status is RUNNING

    @property
    def known(self) -> Oracle:
        assert self.oracle is not None
        return self.oracle

    def keys(self) -> list[Key]:
        """Of every row for which a wake-up may arrive, however late."""
        engine = self.known.engine
        return [*((step,) for step in sorted(engine.steps)), *sorted(engine.attempts)]

    @property
    def goes_on(self) -> bool:
        """Whether anything can still come of it, beside what comes too late."""
        return self.running or bool(self.attempts_that_are(AttemptStatus.SENDING))

    def live_keys(self) -> list[Key]:
        """Of every row that still waits for a wake-up."""
        return [*self.waiting_steps(), *sorted(self.known.engine.open_attempts())]

    def waiting_steps(self) -> list[Key]:
        return [(step,) for step in self.known.engine.waiting]

    def attempts_that_are(self, status: AttemptStatus) -> list[Key]:
        return [key for key, row in sorted(self.known.engine.attempts.items()) if row.status is status]

    def overtaken(self) -> list[str]:
        """The workers that stand in the middle of a send, and hold its claim no more."""
        return [name for name, sender in self.known.senders.items() if not self.known.holds(sender)]

    def until_next_wake_up(self) -> float:
        engine = self.known.at(self.now()).engine
        return max(0.0, (engine.next_wake_up() - engine.now).total_seconds())

    def now(self) -> datetime:
        now = database_now(self.world.session)
        self.world.session.commit()
        return now

    # ---- what can be done

    def start(self, flow: Flow) -> None:
        """Another execution, in the place of the one before it. Whoever is at that one dies."""
        self._end_all()
        self.broker.messages.clear()
        self.world.session.execute(delete(Execution))
        self.world.session.commit()
        self.execution = self.world.start(self.world.flow(*flow.nodes, repeat=flow.repeat))
        self.id: UUID = self.execution.id
        self.cast.execution_id = self.id
        self.oracle = Oracle(flow, self.execution.anchor_at)
        self.recover()
        self.check(NO_SLACK)

    def pass_time(self, seconds: float) -> None:
        self.in_doubt = True
        self.world.pass_time(self.execution, seconds)
        self.known.anchor -= timedelta(seconds=seconds)
        self.check(NO_SLACK)

    def pass_time_until_due(self, key: Key) -> None:
        """Until the step or the attempt is due; of an attempt that is being sent, until its lease is out."""
        oracle = self.known.at(self.now())
        self.pass_time(max(0.0, (oracle.wakes_at(key) - oracle.engine.now).total_seconds()))

    def kill(self, who: str) -> None:
        self.cast.strands[who].die()
        self.known.senders.pop(who, None)
        self.check(NO_SLACK)

    def set_broker(self, mood: Mood) -> None:
        self.broker.mood = mood
        self.markers.down = mood is Mood.IS_DOWN

    # ---- doing it, and looking at what came of it

    def play(self, move: Move) -> None:
        """One move, as far as the next stop between two transactions."""
        before = self._begin()
        move.begin(BETWEEN)
        arrived = self.cast.strands[move.who].arrived()
        self._settle([(move, arrived)], before)

    def play_together(self, first: Move, second: Move) -> None:
        """The first is stopped with the row locked; the second comes, and waits for it."""
        before = self._begin()
        leading, following = self.cast.strands[first.who], self.cast.strands[second.who]
        first.begin(INSIDE | BETWEEN)
        arrived = leading.arrived()
        second.begin(BETWEEN)
        if arrived in INSIDE:
            following.arrives_or_waits(self._somebody_waits)
            leading.go_on(BETWEEN)
            arrived = leading.arrived()
        self._settle([(first, arrived), (second, following.arrived())], before)

    def play_on(self, who: str, fate: Fate, moves: int) -> None:
        """The worker goes on with its send, so many moves or to the end."""
        for _ in range(moves):
            if self.cast.busy([who]):
                self.play(self.cast.goes_on(who, fate))

    def play_and_die(self, move: Move) -> None:
        """With its transaction open, if it opens one; then it is as if nothing had been."""
        before = self._begin()
        move.begin(INSIDE | BETWEEN)
        arrived = self.cast.strands[move.who].arrived()
        if arrived in INSIDE:
            self.kill(move.who)
        else:
            self._settle([(move, arrived)], before)

    def recover(self) -> None:
        self.in_doubt = True
        recover(self.sessions, self.world.dispatcher, self.markers, self.broker, self.world.timing)
        if self.broker.mood is Mood.TAKES:
            self._check_that_nothing_is_forgotten()
        self.check(NO_SLACK)

    def empty_broker_and_recover(self) -> None:
        self.broker.messages.clear()
        self.markers.wipe()
        self.recover()
        if self.broker.mood is Mood.TAKES:
            waiting = {*self.waiting_steps(), *self.attempts_that_are(AttemptStatus.SCHEDULED)}
            assert waiting <= {key_of(message) for message in self.broker.messages}, "not filled"

    def finish(self) -> None:
        """Everybody dies. Other workers, who know of nothing but messages, bring it to its end."""
        self._end_all()
        if self.oracle is None or self.in_doubt:
            return
        self.set_broker(Mood.TAKES)
        for _ in range(MAX_ROUNDS):
            if not self.running:
                return
            self.pass_time(self.until_next_wake_up() + 2 * self.world.timing.recovery_grace)
            self.recover()
            messages, self.broker.messages = self.broker.messages, []
            for message in messages:
                self.play(self.cast.woken_by(message, "A", Fate.ACCEPTED))
                self.play_on("A", Fate.ACCEPTED, MOVES_OF_A_SEND)
        raise AssertionError("it has stalled: wake-ups do not bring it to its end")

    def _end_all(self) -> None:
        for name in self.cast.busy():
            if self.in_doubt:
                self.cast.strands[name].abandon()
            else:
                self.kill(name)

    def _begin(self) -> datetime:
        self.in_doubt = True
        return self.now()

    def _settle(self, played: list[tuple[Move, Any]], before: datetime) -> None:
        """One by one, in this order. Each at the begin or at the end of the moment that it all took."""
        after = self.now()
        told = []
        for times in combinations_with_replacement((before, after), len(played)):
            oracle, expected = self.known, []
            for (move, _), time in zip(played, times, strict=True):
                oracle = oracle.at(time)
                expected.append(move.predict(oracle))
            if expected == [arrived for _, arrived in played]:
                self.oracle = oracle
                self.check(after - before)
                return
            told.append(expected)
        done = [(move.who, move.what, arrived) for move, arrived in played]
        raise AssertionError(f"{done}; the machine says {told[0]}")

    def check(self, slack: timedelta) -> None:
        """Every row is as the machine says."""
        world = self.world
        steps, attempts = world.steps(self.execution), world.attempts(self.execution)
        status = world.status(self.id)
        ended = world.session.execute(ENDINGS, {"id": self.id}).all()
        world.session.commit()
        assert not ended, f"more than one outcome: {ended}"
        if status == "running":
            stalled = not any(step.status == "waiting" for step in steps)
            stalled &= not any(attempt.status in UNFINISHED for attempt in attempts)
            assert not stalled, "it has stalled: nothing waits"
        else:
            statuses = {*(step.status for step in steps), *(attempt.status for attempt in attempts)}
            waits = statuses & {"waiting", "scheduled"}
            assert not waits, f"it is {status}, and still there is something {waits}"
        found = self.known.compare(status, steps, attempts, slack)
        sent = [(note.key, note.attempt, note.may_repeat) for note in self.cast.accepted]
        expected = [(f"{self.id}.{step}.{target}", n, r) for (step, target, n), r in self.known.accepted]
        if sorted(sent) != sorted(expected):
            found.append(f"accepted were {sent}, and not {expected}")
        assert not found, "; ".join(found)
        self.in_doubt = False

    def _check_that_nothing_is_forgotten(self) -> None:
        """What was never dispatched is found long before it is due, or soon after."""
        patience = timedelta(seconds=2 * self.world.timing.recovery_grace)
        forgotten = self.world.session.scalars(FORGOTTEN, {"id": self.id, "patience": patience}).all()
        self.world.session.commit()
        assert not forgotten, f"steps that recovery forgot: {forgotten}"

    def _somebody_waits(self) -> bool:
        with self.sessions() as session:
            return bool(session.scalar(SOMEBODY_WAITS))
