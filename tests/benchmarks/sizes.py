"""How much work: the whole (under 30 minutes), quick (under 3), and tiny, for a test that all of it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Seconds, and numbers of steps and alerts."""

    rounds: int
    # Each raw part, and each kind of ingest, is watched for so many seconds.
    seconds: float
    # Steps that are due in the same second, to see how fast they are worked off.
    backlog: int
    storm: int
    storm_rounds: int
    rates: tuple[int, ...]
    rate_seconds: float
    pending: tuple[int, ...]
    peers_rate: int
    peers_pending: tuple[int, ...]
    waiting: tuple[int, ...]
    finished: tuple[int, ...]
    noisy_alerts: int
    # Only when it is asked for.
    endurance: int


WHOLE = Sizes(
    rounds=3,
    seconds=5,
    backlog=2_000,
    storm=5000,
    storm_rounds=1,
    rates=(10, 50, 100),
    rate_seconds=8,
    pending=(0, 10_000, 100_000),
    peers_rate=50,
    peers_pending=(0, 100_000),
    waiting=(1_000, 10_000, 100_000),
    finished=(1_000, 1_000_000),
    noisy_alerts=10_000,
    endurance=100_000,
)

QUICK = Sizes(
    rounds=1,
    seconds=1,
    backlog=100,
    storm=150,
    storm_rounds=1,
    rates=(20,),
    rate_seconds=3,
    pending=(0, 1_000),
    peers_rate=20,
    peers_pending=(),
    waiting=(500, 2_000),
    finished=(100, 10_000),
    noisy_alerts=200,
    endurance=1_000,
)

TINY = Sizes(
    rounds=1,
    seconds=0.2,
    backlog=3,
    storm=3,
    storm_rounds=1,
    rates=(5,),
    rate_seconds=1,
    pending=(0,),
    peers_rate=5,
    peers_pending=(),
    waiting=(10,),
    finished=(10,),
    noisy_alerts=5,
    endurance=20,
)
