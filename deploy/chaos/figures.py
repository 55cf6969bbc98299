"""What a run amounts to, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Step
from alertops.verify.promises import Verdict
from deploy.chaos.calm import Calm
from deploy.chaos.clients import Raised
from deploy.chaos.injector import Fault
from deploy.chaos.operations import Asked
from deploy.chaos.schedule import WIPE
from deploy.chaos.undisturbed import STEPS_PER_SECOND, Times
from deploy.local.promises import Message, Target

# The promises, as the table counts them.
CATEGORIES = {
    "lost": (
        *("accepted", "fired", "told", "settled", "retried", "escalated", "ended", "timed", "received"),
        "answered",
    ),
    "early": ("not early", "undrifted"),
    "late": ("not late",),
    "out of order": ("planned", "ordered", "frozen"),
    "after acknowledge": ("silent", "unclaimed"),
    "unexplained duplicates": (*("one execution", "known", "once", "held", "one key", "own key"),),
    "to somebody else": ("addressed",),
}
# The target for the 99th percentile of lateness while nothing is being hurt.
ON_TIME_SECONDS = 0.25


@dataclass(frozen=True)
class Lateness:
    """How late steps fired, in seconds."""

    steps: int
    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Lateness:
        ordered = sorted(seconds) or [0.0]
        p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
        return cls(len(seconds), round(p50, 3), round(p99, 3), round(ordered[-1], 3))


@dataclass(frozen=True)
class Undisturbed:
    """How late steps fired, and their mails were sent, while nothing was being hurt.

    `load` is how many processes wanted a processor then, ours and others (1 minute's average).
    """

    steps_per_second: int
    fired: Lateness
    sent: Lateness
    unfired: int
    load: float

    @classmethod
    def of(cls, times: Sequence[Times], load: float) -> Undisturbed:
        fired = [(fired - due).total_seconds() for due, fired, _ in times if fired]
        sent = [(sent - due).total_seconds() for due, _, sent in times if sent]
        return cls(
            STEPS_PER_SECOND,
            Lateness.of(fired),
            Lateness.of(sent),
            len(times) - len(fired),
            round(load, 1),
        )

    @property
    def on_time(self) -> bool:
        return self.fired.p99 < ON_TIME_SECONDS and not self.unfired


@dataclass(frozen=True)
class Figures:
    """The table of a run."""

    seed: int
    seconds: float
    alerts: int
    accepted: int
    tried_again: int
    operations: dict[str, dict[str, int]]
    edits: dict[str, int]
    executions: int
    steps: int
    mails: int
    webhooks: int
    faults: int
    wipes: int
    faults_by_kind: dict[str, int]
    not_as_planned: int
    workers_gave_up: int
    checked: int
    broken: dict[str, int]
    explained_repeats: int
    share_of_repeats: float
    lateness: Lateness
    lateness_in_calm: Lateness
    worst_repair: float
    undisturbed: Undisturbed | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether all promises were, and there was something to be promised."""
        return self.checked > 0 and not self.violations


@dataclass(frozen=True)
class Punctuality:
    """When steps were due and fired, read once."""

    times: Sequence[tuple[datetime, datetime]]

    @classmethod
    def read(cls, session: Session) -> Punctuality:
        fired = select(Step.due_at, Step.fired_at).where(Step.fired_at.is_not(None))
        times = [(due_at, fired_at) for due_at, fired_at in session.execute(fired) if fired_at is not None]
        session.rollback()
        return cls(times)

    def lateness(self) -> Lateness:
        return Lateness.of([(fired - due).total_seconds() for due, fired in self.times])

    def lateness_in_calm(self, calm: Calm, recovery: timedelta) -> Lateness:
        """Of the steps that no fault, nor the recovery from one, has touched when they were due."""
        touched = [(fired - due).total_seconds() for due, fired in self.times if calm.is_calm(due, recovery)]
        return Lateness.of(touched)

    def worst_repair(self, calm: Calm) -> float:
        """For how long, at most, an overdue step waited while there was no fault."""
        waited = (calm.waited(due, fired).total_seconds() for due, fired in self.times)
        return round(max(waited, default=0.0), 3)


@dataclass(frozen=True)
class Run:
    """What a run has left, but for the rows.

    `recovery` is how long after a fault it is not calm yet. `edits` counts the changes of flows by what they
    were answered with, and `undone` says which of those that were made are not as they were answered.
    """

    seed: int
    seconds: float
    recovery: timedelta
    history: Sequence[Raised]
    asked: Sequence[Asked]
    edits: Mapping[str, int]
    undone: Sequence[str]
    messages: Sequence[Message]
    faults: Sequence[Fault]
    workers_gave_up: int
    undisturbed: Undisturbed | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def calm(self) -> Calm:
        return Calm.between((fault.began_at, fault.ended_at) for fault in self.faults)


def figures_of(run: Run, verdict: Verdict, punctuality: Punctuality) -> Figures:
    """Count everything."""
    calm = run.calm
    broken = Counter(violation.promise for violation in verdict.violations)
    kinds = Counter(fault.kind for fault in run.faults)
    repeats = _repeats(run.messages)
    channels = Counter(message.channel for message in run.messages)
    return Figures(
        seed=run.seed,
        seconds=round(run.seconds, 1),
        alerts=len(run.history),
        accepted=sum(raised.accepted_at is not None for raised in run.history),
        tried_again=sum(raised.tries > 1 for raised in run.history),
        operations=_operations(run.asked),
        edits=dict(sorted(run.edits.items())),
        executions=verdict.executions,
        steps=len(punctuality.times),
        mails=channels["email"],
        webhooks=channels["webhook"],
        faults=len(run.faults),
        wipes=kinds[WIPE],
        faults_by_kind=dict(sorted(kinds.items())),
        not_as_planned=sum(bool(fault.error) for fault in run.faults),
        workers_gave_up=run.workers_gave_up,
        checked=sum(verdict.checked.values()),
        broken={
            **{name: sum(broken[promise] for promise in of) for name, of in CATEGORIES.items()},
            "edits undone": len(run.undone),
        },
        explained_repeats=repeats,
        share_of_repeats=round(repeats / max(1, len(run.messages)), 4),
        lateness=punctuality.lateness(),
        lateness_in_calm=punctuality.lateness_in_calm(calm, run.recovery),
        worst_repair=punctuality.worst_repair(calm),
        undisturbed=run.undisturbed,
        left_out=dict(run.left_out),
        violations=[*verdict.broken, *run.undone],
    )


def _operations(asked: Sequence[Asked]) -> dict[str, dict[str, int]]:
    """How each kind was answered: done, so already, refused, or not at all."""
    counted: dict[str, Counter[str]] = {}
    for one in asked:
        counted.setdefault(one.kind.value, Counter())[one.outcome] += 1
    return {kind: dict(sorted(outcomes.items())) for kind, outcomes in sorted(counted.items())}


def _repeats(messages: Sequence[Message]) -> int:
    """Messages more than one to a target under one key; the verdict says whether they were announced."""
    told: Counter[tuple[Target, str]] = Counter((message.target, message.key) for message in messages)
    return sum(count - 1 for count in told.values())
