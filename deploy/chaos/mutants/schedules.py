"""Under which faults mutants are run: short, and each enough to show what a few of them do.

The seeds are those whose flows are over soon.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from deploy.chaos.alerts import PlannedAlert
from deploy.chaos.profiles import Profile
from deploy.chaos.run import Plan, make_plan
from deploy.chaos.schedule import WIPE, PlannedFault
from deploy.chaos.system import System


@dataclass(frozen=True)
class Schedule:
    """A seed for flows, alerts and faults of some kinds; or faults that are named one by one.

    `answered_after` has every alert answered so many seconds, at least and at most, after it was raised.
    To the share `operated` of executions more is done than that they are answered.
    """

    what: str
    seed: int
    profile: Profile
    only: tuple[str, ...] = ()
    faults: tuple[PlannedFault, ...] = ()
    answered: bool = True
    answered_after: tuple[float, float] | None = None
    stretch: int = 1
    operated: float = 0.0

    def plan(self, system: System) -> Plan:
        plan = make_plan(
            self.seed, self.profile, system, self.only, stretch=self.stretch, operated=self.operated
        )
        if self.faults:
            plan = replace(plan, bursts=[list(self.faults)])
        if self.answered_after:
            random = Random(self.seed)  # noqa: S311  repeatable is what it must be
            phases = [[_answered(a, self.answered_after, random) for a in phase] for phase in plan.phases]
            plan = replace(plan, phases=phases)
        if not self.answered:
            plan = replace(plan, phases=[[_unanswered(alert) for alert in phase] for phase in plan.phases])
        return plan


def _answered(alert: PlannedAlert, after: tuple[float, float], random: Random) -> PlannedAlert:
    return replace(alert, acknowledged_after=random.uniform(*after))


def _unanswered(alert: PlannedAlert) -> PlannedAlert:
    return replace(alert, acknowledged_after=None)


def _profile(executions: int, faults: int, burst_seconds: float) -> Profile:
    return Profile(
        executions,
        faults,
        wipes=0,
        undisturbed_seconds=0,
        judges_lateness=False,
        fewest_nodes=2,
        burst_seconds=burst_seconds,
        calm_seconds=1.0,
    )


SCHEDULES = {
    "repeated": Schedule(
        "wake-ups duplicated and made early, stale wake-ups, a mail server that drops",
        seed=8014,
        profile=_profile(90, 9, 9),
        only=("wake-ups duplicated", "stale wake-ups", "mail server drops"),
    ),
    "dropped": Schedule(
        "a mail server that drops, wake-ups duplicated and made early; nobody answers",
        seed=13648,
        profile=_profile(90, 12, 12),
        only=("mail server drops", "wake-ups duplicated"),
        answered=False,
    ),
    "killed": Schedule(
        "processes killed at named places, a mail server that refuses; nobody answers",
        seed=11699,
        profile=_profile(120, 5, 26),
        faults=(
            PlannedFault(0.5, "mail server refuses", "mail", 6),
            PlannedFault(1.0, "killed at a point", "after_outcome", 0),
            PlannedFault(8.0, "killed at a point", "after_fire", 0),
            PlannedFault(15.0, "killed at a point", "after_transmit", 0),
            PlannedFault(20.0, "killed at a point", "before_fire", 0),
        ),
        answered=False,
    ),
    "frozen": Schedule(
        "senders frozen at named places, for longer than a lease; long flows, and nobody answers",
        seed=14706,
        profile=_profile(120, 3, 36),
        # One after the other: somebody has to take over what a frozen one holds.
        faults=(
            PlannedFault(3.0, "frozen at a point", "after_open", 12),
            PlannedFault(17.0, "frozen at a point", "after_open", 12),
            PlannedFault(31.0, "frozen at a point", "after_claim", 8),
        ),
        answered=False,
        stretch=5,
    ),
    "purged": Schedule(
        "queues purged, bindings removed",
        seed=8536,
        profile=_profile(80, 10, 10),
        faults=(
            PlannedFault(1.2, "binding removed", "fire", 0),
            PlannedFault(2.2, "binding removed", "fire", 0),
            PlannedFault(4.3, "binding removed", "send.email", 0),
            PlannedFault(4.4, "queue purged", "celery_delayed_0", 0),
            PlannedFault(4.5, "queue purged", "send.email", 0),
            PlannedFault(5.8, "queue purged", "send.email", 0),
            PlannedFault(6.2, "binding removed", "fire", 0),
            PlannedFault(6.5, "queue purged", "send.email", 0),
            PlannedFault(8.9, "queue purged", "fire", 0),
            PlannedFault(9.2, "binding removed", "fire", 0),
        ),
    ),
    "cut off": Schedule(
        "the API and a worker host cut off from the broker",
        seed=14706,
        profile=_profile(80, 3, 10),
        faults=(
            PlannedFault(1.0, "link cut", "api-broker", 4),
            PlannedFault(2.0, "link cut", "a-broker", 2),
            PlannedFault(7.0, "link cut", "api-broker", 2),
        ),
    ),
    "wiped": Schedule(
        "the broker emptied",
        seed=658,
        profile=_profile(60, 1, 10),
        faults=(PlannedFault(3.0, WIPE, "broker", 0.5),),
    ),
    "slowed": Schedule(
        "both worker hosts slow to reach the database; everybody answers, most of them in the meantime",
        seed=9549,
        profile=_profile(100, 2, 14),
        faults=(
            PlannedFault(0.5, "link slowed", "a-database", 16),
            PlannedFault(0.5, "link slowed", "b-database", 16),
        ),
        answered_after=(1, 14),
    ),
    "operated": Schedule(
        "wake-ups duplicated and made early, stale wake-ups; people snooze, reassign, rebase, ...",
        seed=8014,
        profile=_profile(150, 6, 24),
        only=("wake-ups duplicated", "stale wake-ups"),
        operated=1.0,
        stretch=2,
    ),
    "database": Schedule(
        "Postgres killed again and again",
        seed=3119,
        profile=_profile(400, 4, 16),
        only=("database killed",),
    ),
}
