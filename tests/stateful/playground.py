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
MAX_ROUNDS = 60


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

    def until_next_wake_up(self) -> float:
        engine = self.known.at(self.now()).engine
        return max(0.0, (engine.next_wake_up() - engine.now).total_seconds())

    def now(self) -> datetime:
        now = database_now(self.world.session)
        self.world.session.commit()
        return now

    # ---- what can be done

    def start(self, flow: Flow) -> None:
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
        recover(self.sessions, self.world.dispatcher, self.markers, self.world.timing)
        self.check(NO_SLACK)

    def empty_broker_and_recover(self) -> None:
        self.broker.messages.clear()
        self.markers.wipe()
        self.recover()
        if self.broker.mood is Mood.TAKES:
            engine = self.known.engine
            waiting = {(step,) for step in engine.waiting}
            waiting |= {
                k for k in engine.open_attempts() if engine.attempts[k].status is AttemptStatus.SCHEDULED
            }
            assert waiting <= {key_of(message) for message in self.broker.messages}, "not filled"

    def finish(self) -> None:
        """Everybody dies. Other workers, who know of nothing but messages, bring it to its end."""
        for name in self.cast.busy():
            if self.in_doubt:
                self.cast.strands[name].abandon()
            else:
                self.kill(name)
        if self.oracle is None or self.in_doubt:
            return
        self.set_broker(Mood.TAKES)
        quiet = 0
        for _ in range(MAX_ROUNDS):
            if not self.running:
                return
            # What was dispatched again is left alone for a while, and longer each time.
            self.pass_time(self.until_next_wake_up() + 20 * 2**quiet)
            self.recover()
            messages, self.broker.messages = self.broker.messages, []
            for message in messages:
                self.play(self.cast.woken_by(message, "A", Fate.ACCEPTED))
                while self.cast.busy(["A"]):
                    self.play(self.cast.goes_on("A", Fate.ACCEPTED))
            quiet = 0 if messages else min(quiet + 1, 5)
        raise AssertionError("it has stalled: wake-ups do not bring it to its end")

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
            waits = [row.status for row in (*steps, *attempts) if row.status in ("waiting", "scheduled")]
            assert not waits, f"it is {status}, and still there is something {waits}"
        found = self.known.compare(status, steps, attempts, slack)
        sent = [(note.key, note.attempt, note.may_repeat) for note in self.cast.accepted]
        expected = [(f"{self.id}.{step}.{target}", n, r) for (step, target, n), r in self.known.accepted]
        if sorted(sent) != sorted(expected):
            found.append(f"accepted were {sent}, and not {expected}")
        assert not found, "; ".join(found)
        self.in_doubt = False

    def _somebody_waits(self) -> bool:
        with self.sessions() as session:
            return bool(session.scalar(SOMEBODY_WAITS))
