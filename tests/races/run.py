"""Many lanes, each in a process of its own, and what came of all of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from math import ceil
from multiprocessing import get_context
from typing import Self

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from alertops.db import engine_options
from alertops.logs import configure_logging
from tests.races.judge import Broken, Seen, Winner, judge
from tests.races.lane import Lane
from tests.races.pairs import Course, Kind, commits_are_tracked, lay_out, look, prepare
from tests.races.racers import claimer, joining_claimer

# Of ten pairs. The control has no mark: its claim is not one that could be shown at a mark.
SHARES = {
    Kind.CLAIM: 4,
    Kind.TAKEOVER: 2,
    Kind.TWO_CLAIMS: 1,
    Kind.TWO_TAKEOVERS: 1,
    Kind.CLAIM_AND_MARK: 2,
}
# At most so many at once; fewer when there would be too few heats for all processes.
HEAT = 1000
EXAMPLES = 3
# What is raced is who sees what, and not what a power failure leaves: that needs no disk.
WITHOUT_FLUSH = "-c synchronous_commit=off"


@dataclass
class Tally:
    """How the pairs ended, and the first few that should not have ended so."""

    winners: Counter[tuple[Kind, Winner]] = field(default_factory=Counter)
    overlapped: Counter[Kind] = field(default_factory=Counter)
    broken: Counter[Broken] = field(default_factory=Counter)
    pairs_broken: int = 0
    examples: list[str] = field(default_factory=list)
    commits_tracked: bool = True

    @property
    def pairs(self) -> int:
        return self.winners.total()

    def won_by(self, winner: Winner, kind: Kind | None = None) -> int:
        kinds = Kind if kind is None else (kind,)
        return sum(self.winners[each, winner] for each in kinds)

    def add(self, seen: Seen, wrong: set[Broken]) -> None:
        self.winners[seen.pair.kind, seen.winner] += 1
        self.overlapped[seen.pair.kind] += seen.overlapped
        self.broken.update(wrong)
        if wrong:
            self.pairs_broken += 1
            self.examples = [*self.examples, f"{seen}: {'; '.join(sorted(wrong))}"][:EXAMPLES]

    def merge(self, other: Tally) -> Self:
        self.winners += other.winners
        self.overlapped += other.overlapped
        self.broken += other.broken
        self.pairs_broken += other.pairs_broken
        self.examples = [*self.examples, *other.examples][:EXAMPLES]
        self.commits_tracked &= other.commits_tracked
        return self


@dataclass(frozen=True)
class Part:
    """What a process does before it is given more."""

    database_url: str
    course: Course
    pairs: int
    seed: str
    control: bool


def run(
    database_url: str,
    pairs: int,
    *,
    seed: int,
    processes: int,
    control: bool = False,
    tell: Callable[[Tally], object] = lambda _: None,
) -> Tally:
    """Race so many pairs; `tell` hears after each part how far it is. The control races the unsafe claim."""
    engine = create_engine(database_url)
    with Session(engine) as session:
        course = lay_out(session)
    engine.dispose()
    heat = min(HEAT, ceil(pairs / processes))
    sizes = [min(heat, pairs - at) for at in range(0, pairs, heat)]
    parts = [Part(database_url, course, size, f"{seed} {part}", control) for part, size in enumerate(sizes)]
    total = Tally()
    with ProcessPoolExecutor(
        processes, get_context("spawn"), configure_logging, ("console", "WARNING")
    ) as pool:
        for done in as_completed([pool.submit(race, part) for part in parts]):
            tell(total.merge(done.result()))
    return total


def race(part: Part) -> Tally:
    """Prepare, race and judge the pairs of one part."""
    options = engine_options()
    options["connect_args"] |= {"options": WITHOUT_FLUSH}
    engine = create_engine(part.database_url, **options)
    tally = Tally()
    try:
        with Session(engine) as session:
            pairs = prepare(session, part.course, _kinds(part))
            lane = Lane(engine, part.course.actor_id, part.seed, joining_claimer if part.control else claimer)
            tally.commits_tracked = commits_are_tracked(session)
            all_seen = lane.race(pairs)
            left = look(session, pairs, commits_are_tracked=tally.commits_tracked)
    finally:
        engine.dispose()
    for seen in all_seen:
        tally.add(seen, judge(seen, left[seen.pair.execution_id]))
    return tally


def _kinds(part: Part) -> list[Kind]:
    shares = {kind: n for kind, n in SHARES.items() if not (part.control and kind is Kind.CLAIM_AND_MARK)}
    choice = random.Random(part.seed)  # noqa: S311  no secret
    return choice.choices(list(shares), list(shares.values()), k=part.pairs)
