"""Threads that are let go together, pair after pair, the start of each moved until either wins half of it.

Around the start at which the winner changes the two transactions overlap, and this is where a lane stays.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Barrier, BrokenBarrierError
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from tests.races.judge import Seen, Winner
from tests.races.pairs import TWO_CLAIMERS, Kind, Pair
from tests.races.racers import Acknowledged, Claimed, Claimer, acknowledger, claimer, marking_claimer

CLAIMERS = 2
PATIENCE_SECONDS = 60
FIRST_STEP_SECONDS = 1e-3
LAST_STEP_SECONDS = 20e-6
SPREAD_SECONDS = 400e-6
LATEST_SECONDS = 50e-3
# By the first of these a transaction asks for its lock.
ASKING = ("FOR NO KEY UPDATE", "UPDATE attempts")


class Aim:
    """How much later than the acknowledge the claims start; negative when they start first.

    Where the claimer goes on to mark, it is the mark that is to win half of the pairs.
    """

    def __init__(self, kind: Kind, seed: str) -> None:
        self._last = Winner.MARK if kind is Kind.CLAIM_AND_MARK else Winner.CLAIM
        self._random = random.Random(f"{seed} {kind}")  # noqa: S311  no secret
        self._middle = 0.0
        self._pairs = 0

    def next(self) -> float:
        return self._middle + self._random.uniform(-SPREAD_SECONDS, SPREAD_SECONDS)

    def learn(self, winner: Winner) -> None:
        """Whoever won starts a little later the next time: by less and less, as the right start is found."""
        self._pairs += 1
        step = max(FIRST_STEP_SECONDS / self._pairs, LAST_STEP_SECONDS)
        step = step if winner is self._last else -step
        self._middle = min(LATEST_SECONDS, max(-LATEST_SECONDS, self._middle + step))


@dataclass
class Runner:
    """A session on a connection of its own, and when its transactions held or waited for a lock."""

    session: Session
    asked: float | None = None
    held: list[tuple[float, float]] = field(default_factory=list)

    def ask(self, *arguments: Any) -> None:
        statement = arguments[2]
        if self.asked is None and any(words in statement for words in ASKING):
            self.asked = time.perf_counter()

    def end(self, *_: Any) -> None:
        if self.asked is not None:
            self.held.append((self.asked, time.perf_counter()))
            self.asked = None

    def rest(self) -> None:
        self.session.rollback()
        self.session.expunge_all()

    def overlaps(self, other: Runner) -> bool:
        """Whether one asked before the other sent its commit, and the other way round."""
        return any(a < d and c < b for a, b in self.held for c, d in other.held)


@contextmanager
def runner_on(engine: Engine) -> Iterator[Runner]:
    with engine.connect() as connection, Session(connection, expire_on_commit=False) as session:
        runner = Runner(session)
        event.listen(connection, "before_cursor_execute", runner.ask)
        event.listen(connection, "commit", runner.end)
        event.listen(connection, "rollback", runner.end)
        yield runner


class Lane:
    """One acknowledger and two claimers, of whom the second takes part in some of the pairs."""

    def __init__(self, engine: Engine, actor_id: UUID, seed: str, claim: Claimer = claimer) -> None:
        self._engine, self._actor_id, self._claim = engine, actor_id, claim
        self._aims = {kind: Aim(kind, seed) for kind in Kind}

    def race(self, pairs: Sequence[Pair]) -> list[Seen]:
        """Race them all, one after the other."""
        with ExitStack() as stack:
            runners = [stack.enter_context(runner_on(self._engine)) for _ in range(1 + CLAIMERS)]
            heat = Heat(self._aims, pairs, runners)
            pool = stack.enter_context(ThreadPoolExecutor(len(runners)))
            acts: list[Callable[[Session, Pair], Any]] = [self._acknowledge, self._first, self._second]
            _results([pool.submit(heat.run, number, act) for number, act in enumerate(acts)])
            return heat.seen

    def _acknowledge(self, session: Session, pair: Pair) -> Acknowledged:
        return acknowledger(session, pair, self._actor_id)

    def _first(self, session: Session, pair: Pair) -> Claimed:
        act = marking_claimer if pair.kind is Kind.CLAIM_AND_MARK else self._claim
        return act(session, pair)

    def _second(self, session: Session, pair: Pair) -> Claimed | None:
        return self._claim(session, pair) if pair.kind in TWO_CLAIMERS else None


class Heat:
    """The pairs of one call, and the barrier at which all runners meet before each and after the last."""

    def __init__(self, aims: dict[Kind, Aim], pairs: Sequence[Pair], runners: Sequence[Runner]) -> None:
        self.seen: list[Seen] = []
        self._aims, self._pairs, self._runners = aims, pairs, runners
        self._answers: list[Any] = [None] * len(runners)
        self._late: list[float] = [0.0] * len(runners)
        self._gate = Barrier(len(runners), self._between, PATIENCE_SECONDS)

    def run(self, number: int, act: Callable[[Session, Pair], Any]) -> None:
        """Take part in every pair as this runner. Whoever fails lets the others go too."""
        runner = self._runners[number]
        try:
            for pair in self._pairs:
                self._gate.wait()
                if self._late[number] > 0:
                    time.sleep(self._late[number])
                self._answers[number] = act(runner.session, pair)
                runner.rest()
            self._gate.wait()
        except BaseException:
            self._gate.abort()
            raise

    def _between(self) -> None:
        """All have met and wait: look at the last pair, and aim the next one."""
        if self._answers[0] is not None:
            self._look(self._pairs[len(self.seen)])
        if len(self.seen) < len(self._pairs):
            aim = self._aims[self._pairs[len(self.seen)].kind].next()
            self._late = [max(0.0, -aim), *[max(0.0, aim)] * CLAIMERS]

    def _look(self, pair: Pair) -> None:
        acknowledged, *claimed = self._answers
        overlapped = any(self._runners[0].overlaps(runner) for runner in self._runners[1:])
        taken_part = tuple(answer for answer in claimed if answer is not None)
        seen = Seen(pair, acknowledged, taken_part, overlapped)
        self._aims[pair.kind].learn(seen.winner)
        self.seen.append(seen)
        for runner in self._runners:
            runner.held.clear()


def _results(futures: Sequence[Future[None]]) -> None:
    """Raise what really went wrong, rather than that the others did not come to the barrier."""
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
        raise error
