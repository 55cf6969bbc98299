"""Places of the protocol, and there a kill, a freeze or a cut connection: each promise is kept.

A case is a scenario and a fault in it (`SCENARIOS`). They are played side by side, in as many fleets as there
are lanes (`fault_lanes.py`); each test tells how its case ended. Nobody is restarted within a case: what the
struck process left is for the others to finish.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue

import pytest

from alertops.faults import Action, Fault, Point
from deploy.local.smtp_sink import Refuse
from deploy.local.stack import PrivateStack
from tests.acceptance.alerts import Alerts, measured, node, until
from tests.acceptance.fault_lanes import (
    LEASE,
    REPAIRED_WITHIN,
    Lane,
    Trap,
    await_exhausted,
    let_time_pass,
    persistently,
    running_lane,
)
from tests.integration.raw_http import TAKEN, RawReceiver, raw_receiver

pytestmark = pytest.mark.acceptance

LANES = 3

RAISING = (Point.BEFORE_START, Point.AFTER_START)
REPEATING = (Point.BEFORE_JOIN, Point.AFTER_JOIN)
DISPATCHING = (Point.BEFORE_PUBLISH, Point.AFTER_PUBLISH, Point.BEFORE_MARK, Point.AFTER_MARK)
FIRING = (Point.BEFORE_FIRE, Point.AFTER_FIRE)
SENDING = (
    Point.BEFORE_CLAIM,
    Point.AFTER_CLAIM,
    Point.AFTER_OPEN,
    Point.BEFORE_TRANSMIT_MARK,
    Point.AFTER_TRANSMIT_MARK,
    Point.AFTER_TRANSMIT,
    Point.BEFORE_OUTCOME,
    Point.AFTER_OUTCOME,
)
CLOSING = (Point.BEFORE_CLOSE, Point.AFTER_CLOSE)
ANSWERING = (Point.BEFORE_ANSWER, Point.AFTER_ANSWER)
TIMING = (Point.BEFORE_TIMER, Point.AFTER_TIMER)
TELLING = (Point.AFTER_TELL, Point.AFTER_TOLD)

COVERED = {*RAISING, *REPEATING, *DISPATCHING, *FIRING, *SENDING, *CLOSING, *ANSWERING, *TIMING, *TELLING}

# Frozen here, a process holds the execution's row lock, and the others can only wait for it.
LOCKING = {point for point in COVERED if point.startswith("before_")} - {*DISPATCHING}

# How long after its due time the latest step fired, by what was done to the process.
LATEST: dict[Action, list[float]] = defaultdict(list)


def verify(alerts: Alerts, action: Action, at_least: int) -> None:
    verdict = alerts.verify(patience=timedelta(seconds=REPAIRED_WITHIN), at_least=at_least)
    LATEST[action].append(max(verdict.lateness))


def endure(trap: Trap, alerts: Alerts, is_over: Callable[[], object]) -> None:
    """A frozen process wakes when the others have done all, or while they wait for it."""
    locks = trap.fault.point in LOCKING
    trap.endure((lambda: let_time_pass(alerts, LEASE)) if locks else is_over)


def two_nodes(alerts: Alerts, name: str, delay: int = 1) -> str:
    return alerts.flow(node(f"{name}-1@example.org", 1), node(f"{name}-2@example.org", delay))


def alert_is_raised_once(lane: Lane, point: Point, action: Action) -> None:
    alerts, trap = lane.alerts, lane.trap(point, action)
    flow = two_nodes(alerts, f"raise-{point}-{action}")
    trap.arm()
    with ThreadPoolExecutor(1) as caller:
        told = caller.submit(
            persistently, lambda: alerts.client.trigger(flow, "Disk is full", dedup_key="disk")
        )
        endure(trap, alerts, lambda: await_exhausted(alerts, flow))
        told.result()
    await_exhausted(alerts, flow)
    verify(alerts, action, at_least=2)


def repeated_alert_joins_the_open_one(lane: Lane, point: Point, action: Action) -> None:
    alerts, trap = lane.alerts, lane.trap(point, action)
    # Long enough for a caller who was cut off to come back while it is open.
    flow = two_nodes(alerts, f"{point}-{action}", delay=4)

    def ask() -> str:
        return alerts.client.trigger(flow, "Disk is full", dedup_key="disk")

    ask()
    trap.arm()
    with ThreadPoolExecutor(1) as caller:
        told = caller.submit(persistently, ask)
        endure(trap, alerts, lambda: await_exhausted(alerts, flow))
        told.result()
    await_exhausted(alerts, flow)
    assert sum(alert.execution.alert_count for alert in alerts.raised) >= 2
    verify(alerts, action, at_least=2)


def escalation_goes_on(lane: Lane, point: Point, action: Action) -> None:
    alerts, trap = lane.alerts, lane.trap(point, action)
    name = f"{point}-{action}"
    # The first outcome is a failure, so that something follows from it.
    lane.sink.behave(f"{name}-1@example.org", Refuse(451, at="data", times=1))
    alert = alerts.raise_(two_nodes(alerts, name))
    trap.arm()
    endure(trap, alerts, lambda: alert.await_status("exhausted", REPAIRED_WITHIN))
    alert.await_status("exhausted", REPAIRED_WITHIN)
    assert len(alert.fired) == 2
    assert {mail.rcpt_to[0] for mail in alert.mails} == {f"{name}-1@example.org", f"{name}-2@example.org"}
    verify(alerts, action, at_least=2)


def attempt_that_is_held_escalates(lane: Lane, point: Point, action: Action) -> None:
    alerts = lane.alerts
    flow = alerts.flow(
        node(f"{point}-{action}@example.org", 0, on_unknown="hold"),
        node(f"{point}-{action}-2@example.org", 600),
    )
    first, trap = lane.trap(Point.AFTER_TRANSMIT_MARK, Action.KILL), lane.trap(point, action)
    first.arm()
    trap.arm()
    alert = alerts.raise_(flow)
    first.await_struck()
    lane.start()
    endure(trap, alerts, lambda: alert.await_status("exhausted", REPAIRED_WITHIN))
    alert.await_status("exhausted", REPAIRED_WITHIN)
    assert [attempt.status for attempt in alert.attempts] == ["unknown", "delivered"]
    verify(alerts, action, at_least=2)


def answer_silences(lane: Lane, point: Point, action: Action) -> None:
    alerts, trap = lane.alerts, lane.trap(point, action)
    # Whoever is frozen with the lock for over 10 s loses it, and the person asks again: still in time.
    delay = 20 if trap.freezes else 8
    lane.wait_ready()
    alert = alerts.raise_with(node(f"{point}-{action}@example.org", 0), node("never@example.org", delay))
    alert.await_delivered(1, within=REPAIRED_WITHIN)
    trap.arm()
    with ThreadPoolExecutor(1) as person:
        told = person.submit(persistently, alert.acknowledge)
        endure(trap, alerts, lambda: alert.await_status("acknowledged", within=2))
        told.result()
    second = alert.steps[1]
    assert alert.execution.acknowledged_at < second.due_at, "on this machine the person was not in time"
    until(lambda: alerts.now() > second.due_at, within=delay + 2)
    assert alert.execution.status == "acknowledged"
    assert len(alert.mails) == 1
    verify(alerts, action, at_least=1)


def snooze_is_over(lane: Lane, point: Point, action: Action) -> None:
    """The node that was told before is told again, once."""
    alerts, trap = lane.alerts, lane.trap(point, action)
    alert = alerts.raise_with(node(f"{point}-{action}@example.org", 0))
    alert.await_status("exhausted", within=REPAIRED_WITHIN)
    trap.arm()
    alerts.client.snooze(str(alert.id), 2)
    endure(trap, alerts, lambda: len(alert.mails) == 2)
    alert.await_mails(2, within=REPAIRED_WITHIN)
    alert.await_status("exhausted", within=REPAIRED_WITHIN)
    assert len(alert.fired) == 2
    verify(alerts, action, at_least=2)


def subscriber_is_told_all_in_order(lane: Lane, point: Point, action: Action) -> None:
    """Whoever is struck: what comes twice has the same id and the same body, and comes in its turn."""
    alerts, trap = lane.alerts, lane.trap(point, action)
    with raw_receiver(TAKEN) as receiver:
        subscription = alerts.client.subscribe(alerts.team_id, receiver.url())
        trap.arm()
        alert = alerts.raise_(two_nodes(alerts, f"told-{point}-{action}"))

        def all_is_told() -> bool:
            happened = [entry["id"] for entry in alerts.client.timeline(str(alert.id))]
            return told_in_turn(receiver) == happened

        endure(trap, alerts, lambda: until(all_is_told, REPAIRED_WITHIN, "all being told by the others"))
        alert.await_status("exhausted", REPAIRED_WITHIN)
        until(all_is_told, REPAIRED_WITHIN, "all being told")
        alerts.client.unsubscribe(subscription)
    contents = {(request.headers["webhook-id"], request.body) for request in receiver.requests}
    assert len(contents) == len({request.headers["webhook-id"] for request in receiver.requests})
    verify(alerts, action, at_least=2)


def told_in_turn(receiver: RawReceiver) -> list[int]:
    """The places of what came, in its order; what came again at once is one."""
    came = [json.loads(request.body)["data"]["position"] for request in list(receiver.requests)]
    return [position for position, _ in groupby(came)]


Scenario = Callable[[Lane, Point, Action], None]

# Each scenario, and the places that it comes by.
SCENARIOS: Mapping[Scenario, Sequence[Point]] = {
    alert_is_raised_once: RAISING + DISPATCHING,
    repeated_alert_joins_the_open_one: REPEATING,
    escalation_goes_on: DISPATCHING + FIRING + SENDING,
    attempt_that_is_held_escalates: CLOSING,
    answer_silences: ANSWERING,
    snooze_is_over: TIMING,
    subscriber_is_told_all_in_order: TELLING,
}


@dataclass(frozen=True)
class Case:
    """A scenario, and what happens in it, and where."""

    scenario: Scenario
    point: Point
    action: Action

    def __str__(self) -> str:
        return f"{self.scenario.__name__}-{self.point}-{self.action}"

    def play(self, lanes: SimpleQueue[Lane]) -> None:
        """In the next lane that is free."""
        lane = lanes.get()
        try:
            with lane.case():
                self.scenario(lane, self.point, self.action)
        finally:
            lanes.put(lane)


CASES = [
    Case(scenario, point, action)
    for scenario, points in SCENARIOS.items()
    for point in points
    for action in Action
]
FAULTS = [Fault(point, action, 1) for point in Point if point in COVERED for action in Action]


@pytest.fixture(scope="module")
def lanes(stack: PrivateStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleQueue[Lane]]:
    if stack.rabbitmq not in stack.servers:
        pytest.skip("needs a RabbitMQ of its own, and the environment names one")
    free: SimpleQueue[Lane] = SimpleQueue()
    with ExitStack() as running:
        several = [
            running.enter_context(
                running_lane(stack, f"lane_{number}", FAULTS, tmp_path_factory.mktemp("lane"))
            )
            for number in range(LANES)
        ]
        for lane in several:
            lane.get_ready()
            free.put(lane)
        yield free


@pytest.fixture(scope="module")
def played(lanes: SimpleQueue[Lane], request: pytest.FixtureRequest) -> Iterator[Mapping[Case, Future[None]]]:
    """All cases that were chosen, under way; no new one begins when the tests are left."""
    of_module = [item for item in request.session.items if item.path == request.path]
    chosen = [item.callspec.params["case"] for item in of_module if hasattr(item, "callspec")]
    with ThreadPoolExecutor(LANES) as pool:
        yield {case: pool.submit(case.play, lanes) for case in chosen}
        pool.shutdown(cancel_futures=True)
    for action, latest in LATEST.items():
        measured(f"faults: {action} at {len(latest)} places; the latest step was {max(latest):.1f} s late")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_promises_are_kept(case: Case, played: Mapping[Case, Future[None]]) -> None:
    played[case].result()


def test_every_point_has_its_test() -> None:
    """A point that no scenario here comes by is struck in another file, which names it."""
    here = Path(__file__)
    others = "".join(file.read_text() for file in here.parent.glob("test_*.py") if file != here)
    assert [point for point in Point if point not in COVERED and f"Point.{point.name}" not in others] == []
