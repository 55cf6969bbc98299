"""Which faults come when: bursts in which they overlap, with calm between them, from a seed.

In the calm whatever was lost must be repaired within the time that is promised; without it, no fault
could ever be told from the one after it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from deploy.chaos import clock, machines

WIPE = "broker wiped"
CLOCK_AHEAD, CLOCK_BEHIND = "clock ahead", "clock behind"
HOSTS = ("a", "b")
WORKERS = ("fire@a", "fire@b", "send@a", "send@b", "hook@a", "hook@b")
LINKS = tuple(f"{who}-{what}" for who in ("a", "b", "api") for what in ("broker", "database"))
QUEUES = ("fire", "send.email", "send.webhook")
# Where most wake-ups are at any time: workers hold at once whatever comes out.
DELAY_QUEUES = ("celery_delayed_0", "celery_delayed_1", "celery_delayed_2")
# Places of the protocol that every alert comes by, or most do (`alertops/faults.py`).
POINTS = (
    *("before_start", "after_start", "before_publish", "after_publish", "before_mark", "after_mark"),
    *("before_fire", "after_fire", "before_claim", "after_claim", "after_open"),
    *("before_transmit_mark", "after_transmit_mark", "after_transmit", "before_outcome", "after_outcome"),
    *("before_answer", "after_answer"),
)
# As many die at a point: both hosts, if it comes to the worst.
STRIKES = 2

# Each kind, what it may hit, and how many seconds it lasts (or, of what is killed, stays down).
KINDS: dict[str, tuple[tuple[str, ...], tuple[float, float]]] = {
    "worker killed": (WORKERS, (0.5, 2)),
    "host killed": (HOSTS, (0.5, 2)),
    "host lost power": (HOSTS, (0.5, 2)),
    "API worker killed": (("api",), (0, 0)),
    "API killed": (("api",), (0.5, 2)),
    "API restarted": (("api",), (0, 0)),
    "API paused": (("api",), (2, 8)),
    "worker paused": (WORKERS, (2, 8)),
    "worker restarted": (WORKERS, (0, 0)),
    "worker deafened": (WORKERS, (0, 0)),
    CLOCK_AHEAD: (WORKERS, (15, 30)),
    CLOCK_BEHIND: (WORKERS, (15, 30)),
    "killed at a point": (POINTS, (0, 1)),
    "frozen at a point": (POINTS, (2, 14)),
    "broker killed": (("broker",), (0.5, 2)),
    "broker restarted": (("broker",), (0.5, 2)),
    "database killed": (("database",), (0.5, 2)),
    "broker disk alarm": (("broker",), (4, 10)),
    "broker memory alarm": (("broker",), (4, 10)),
    "database restarted": (("database",), (0, 1)),
    "broker connections closed": (("broker",), (0, 0)),
    "database sessions ended": (("database",), (0, 0)),
    "link cut": (LINKS, (1, 6)),
    "link slowed": (LINKS, (2, 6)),
    "link frozen": (LINKS, (2, 8)),
    "link half-open": (LINKS, (2, 8)),
    "link reset": (LINKS, (1, 3)),
    "wake-ups duplicated": (("broker",), (0, 0)),
    "stale wake-ups": (("broker",), (0, 0)),
    "queue purged": ((*QUEUES, *DELAY_QUEUES), (0, 0)),
    "binding removed": (QUEUES, (0, 0)),
    "mail server hangs": (("mail",), (2, 6)),
    "mail server refuses": (("mail",), (2, 6)),
    "mail server drops": (("mail",), (2, 6)),
    "machines fail": (tuple(machines.FAILURES), (2, 6)),
    WIPE: (("broker",), (0.5, 2)),
}


def impossible(root: Path) -> dict[str, str]:
    """The kinds that this machine cannot do, and why."""
    reason = clock.why_not(root)
    return dict.fromkeys((CLOCK_AHEAD, CLOCK_BEHIND), reason) if reason else {}


@dataclass(frozen=True)
class PlannedFault:
    """`after` counts from the beginning of its burst, in seconds."""

    after: float
    kind: str
    target: str
    seconds: float


def plan_bursts(
    random: Random, faults: int, wipes: int, *, size: int, seconds: float, only: Collection[str] = ()
) -> list[list[PlannedFault]]:
    """So many faults, of which so many wipes, in bursts of about `size` faults in `seconds`.

    With `only`, all but the wipes are of these kinds.
    """
    deck = _deck(random, only or KINDS.keys() - {WIPE})
    kinds = [WIPE] * wipes + [next(deck) for _ in range(faults - wipes)]
    count = -(-faults // size)
    # Dealt round, so that no burst has two wipes before each has one, nor the same kinds as the last.
    hands = [kinds[i::count] for i in range(count)]
    return [_burst(random, hand, seconds) for hand in hands]


def _deck(random: Random, of: Collection[str]) -> Iterator[str]:
    """Each of the kinds once, in any order, and then all over again."""
    while True:
        kinds = sorted(of)
        random.shuffle(kinds)
        yield from kinds


def _burst(random: Random, kinds: list[str], seconds: float) -> list[PlannedFault]:
    faults = []
    for kind in kinds:
        targets, (shortest, longest) = KINDS[kind]
        after = random.uniform(0, seconds)
        faults.append(PlannedFault(after, kind, random.choice(targets), random.uniform(shortest, longest)))
    return sorted(faults, key=lambda fault: fault.after)
