"""In maintenance nobody is told, and everybody can see that: alerts are held until it is over, or dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from alertops.db import database_now
from alertops.errors import ConflictError, InvalidInputError
from alertops.escalation.decision import Reason
from alertops.models import Execution, Flow, MaintenanceWindow, TimelineEntry
from alertops.services.access.actor import Asking, Person
from alertops.services.access.permissions import Action
from alertops.services.fire_timer import fire_timer
from alertops.services.keys import TimerKey
from alertops.services.maintenance.declare import MAX_LIVE_WINDOWS, declare_maintenance
from alertops.services.maintenance.end import Ended, end_maintenance
from alertops.services.maintenance.in_force import maintenance_of
from alertops.services.operate import By
from alertops.services.snooze import snooze
from alertops.services.unsnooze import unsnooze
from tests.integration.api_client import a_flow, assert_problem, person
from tests.integration.world import World, node

HOUR = timedelta(hours=1)
ELSEWHERE = "9fbf1fa4-6a15-4a4a-9f11-2f3d1f2a4f11"
ALL_DAY = {"from": "00:00", "to": "00:00", "time_zone": "UTC", "days": None}


def asking(world: World) -> Asking:
    return Asking(Person(world.owner.id), Action.DECLARE_MAINTENANCE)


def declare(world: World, mode: str = "hold", lasts: timedelta = HOUR, **more: Any) -> MaintenanceWindow:
    if "hours" not in more and "ends_at" not in more:
        more["ends_at"] = database_now(world.session) + lasts
    return declare_maintenance(world.session, asking(world), world.team.id, name="Upgrade", mode=mode, **more)


def end(world: World, window: MaintenanceWindow) -> Ended:
    ended = end_maintenance(world.session, world.dispatcher, asking(world), world.team.id, window.id)
    world.session.expire_all()
    return ended


def said(world: World, execution: Execution, event: str) -> dict[str, Any]:
    query = select(TimelineEntry.detail).where(
        TimelineEntry.execution_id == execution.id, TimelineEntry.event == event
    )
    return dict(world.session.scalars(query).one())


@pytest.fixture
def flow(world: World) -> Flow:
    return world.flow(node("a", 0), node("b", 600))


def test_what_is_held_is_told_to_nobody_and_comes_back_when_it_is_over(world: World, flow: Flow) -> None:
    window = declare(world)
    execution = world.start(flow)
    assert (execution.status, execution.snoozed_until) == ("snoozed", window.ends_at)
    assert said(world, execution, "snoozed")["maintenance_window"] == str(window.id)
    assert world.fire(execution, 1) is Reason.STALE
    world.pass_time(execution, 3601)
    assert fire_timer(world.session, world.dispatcher, TimerKey(execution.id, 1)) is not Reason.STALE
    assert world.status(execution) == "running"
    assert world.fire(execution, 2) is Reason.DUE
    assert [attempt.address for attempt in world.attempts(execution)] == ["a@example.com"]


def test_what_is_held_is_woken_at_its_end_and_by_nothing_else(world: World, flow: Flow) -> None:
    declare(world)
    world.publisher.messages.clear()
    execution = world.start(flow)
    (message,) = world.publisher.messages
    assert (message.task, message.args[0]) == ("alertops.fire_timer", str(execution.id))
    assert 3590 < message.delay_seconds <= 3600


def test_what_is_dropped_is_cancelled_and_can_be_seen(world: World, flow: Flow) -> None:
    window = declare(world, "drop")
    execution = world.start(flow, "disk")
    assert execution.status == "cancelled"
    assert said(world, execution, "cancelled")["maintenance"] == window.name
    assert world.events(execution)[0] == "started"
    assert world.fire(execution, 1) is Reason.STALE
    end(world, window)
    assert world.start(flow, "disk").status == "running"


def test_another_flow_and_another_time_are_not_in_it(world: World, flow: Flow) -> None:
    other = world.flow(node("x", 0))
    now = database_now(world.session)
    declare(world, "drop", flow_id=other.id)
    declare(world, "drop", starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    assert world.start(flow).status == "running"
    assert world.start(other).status == "cancelled"


def test_repeats_of_what_is_held_join_it(world: World, flow: Flow) -> None:
    declare(world)
    first = world.start(flow, "disk")
    again = world.start(flow, "disk")
    assert (again.id, again.alert_count, again.status) == (first.id, 2, "snoozed")


def test_to_drop_comes_before_to_hold_and_what_follows_holds_on(world: World, flow: Flow) -> None:
    now = database_now(world.session)
    declare(world, ends_at=now + HOUR)
    declare(world, starts_at=now + timedelta(minutes=59), ends_at=now + 3 * HOUR)
    met = maintenance_of(world.session, world.team.id, [flow.id], now + timedelta(minutes=1))
    assert met[flow.id].until == now + 3 * HOUR
    declare(world, "drop")
    assert world.start(flow).status == "cancelled"


def test_hours_that_come_again_are_met_by_the_clock_on_the_wall(world: World, flow: Flow) -> None:
    declare(world, hours={"from": "22:00", "to": "06:00", "time_zone": "Europe/Berlin", "days": ["friday"]})
    day = datetime(2027, 1, 15, tzinfo=UTC)  # a Friday
    met = {
        hour: maintenance_of(world.session, world.team.id, [flow.id], day + timedelta(hours=hour))
        for hour in (20, 21, 28, 29, 45)
    }
    assert [hour for hour, found in met.items() if found] == [21, 28]
    assert met[21][flow.id].until == day + timedelta(hours=29)


def test_nobody_is_held_for_longer_than_a_snooze_may_be(world: World, flow: Flow) -> None:
    declare(world, hours=ALL_DAY)
    execution = world.start(flow)
    assert execution.snoozed_until == execution.anchor_at + timedelta(days=30)


def test_when_it_is_ended_what_it_held_comes_back_now_and_nothing_else(world: World, flow: Flow) -> None:
    window = declare(world)
    held, woken, by_hand = (world.start(flow) for _ in range(3))
    by = By(world.owner.id)
    unsnooze(world.session, world.dispatcher, woken.id, by)
    snooze(world.session, world.dispatcher, by_hand.id, 2 * HOUR, by)
    other = world.start(world.flow(node("x", 0)))
    assert end(world, window).released == 2  # `held`, and `other`, which it held too
    assert [world.status(each) for each in (held, woken, by_hand, other)] == [
        "running",
        "running",
        "snoozed",
        "running",
    ]
    again = end(world, window)
    assert (again.released, again.window.ended_by) == (0, world.owner.id)


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"lasts": -HOUR}, "/ends_at"),
        ({"lasts": timedelta(days=31)}, "/ends_at"),
        ({"starts_at": datetime(2020, 1, 1, tzinfo=UTC)}, "/starts_at"),
    ],
)
def test_times_that_make_no_window_are_refused(world: World, more: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        declare(world, **more)
    assert refused.value.faults[0][0] == pointer
    assert world.session.scalar(select(func.count()).select_from(MaintenanceWindow)) == 0


def test_a_team_has_so_many_windows_and_not_more(world: World) -> None:
    windows = [declare(world) for _ in range(MAX_LIVE_WINDOWS)]
    with pytest.raises(ConflictError):
        declare(world)
    end(world, windows[0])
    declare(world)


def test_over_the_api_it_is_declared_listed_and_ended(app: Flask) -> None:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = ann.make(f"/teams/{team}/flows", a_flow())["id"]
    path = f"/teams/{team}/maintenance-windows"
    window = ann.make(path, {"name": "Upgrade", "mode": "hold", "flow_id": flow, "hours": ALL_DAY})
    assert (window["flow_id"], window["hours"]["time_zone"], window["ended_at"]) == (flow, "UTC", None)
    execution = ann.make(f"/flows/{flow}/executions", {"summary": "disk full"})
    assert execution["status"] == "snoozed"
    ended = ann.call("DELETE", f"{path}/{window['id']}")
    assert (ended.status_code, (ended.json or {})["released"]) == (200, 1)
    (listed,) = (ann.get(path).json or {})["items"]
    assert listed["ended_by"] == str(ann.id)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"mode": "hold", "ends_at": "2099-01-01T00:00:00Z"}, "/name"),
        ({"name": "x", "mode": "mute", "ends_at": "2099-01-01T00:00:00Z"}, "/mode"),
        ({"name": "x", "mode": "hold"}, "/ends_at"),
        ({"name": "x", "mode": "hold", "ends_at": "2099-01-01T00:00:00"}, "/ends_at"),
        ({"name": "x", "mode": "hold", "hours": {**ALL_DAY, "time_zone": "Mars"}}, "/hours/time_zone"),
        (
            {
                "name": "x",
                "mode": "hold",
                "hours": ALL_DAY,
                "flow_id": "9fbf1fa4-6a15-4a4a-9f11-2f3d1f2a4f11",
            },
            "/flow_id",
        ),
    ],
)
def test_what_is_wrong_is_named(app: Flask, body: dict[str, Any], pointer: str) -> None:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    answer = ann.post(f"/teams/{team}/maintenance-windows", body)
    assert assert_problem(answer, 422)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("mode", ["hold", "drop"])
def test_a_preview_says_what_an_alert_would_meet_at_its_start(app: Flask, mode: str) -> None:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    flow = ann.make(f"/teams/{team}/flows", a_flow())["id"]
    of_flow = {"name": "Upgrade", "mode": mode, "flow_id": flow}
    times = {"starts_at": "2099-01-01T00:00:00Z", "ends_at": "2099-01-01T02:00:00Z"}
    window = ann.make(f"/teams/{team}/maintenance-windows", {**of_flow, **times})

    def met(start: str) -> Any:
        shown = ann.get(f"/flows/{flow}/preview?start={start}").json or {}
        return shown["maintenance"]

    start = "2099-01-01T01:00:00.000000Z"
    until = "2099-01-01T02:00:00.000000Z" if mode == "hold" else start
    assert met(start) == {"window_id": window["id"], "name": "Upgrade", "mode": mode, "until": until}
    assert met("2098-12-31T23:59:59Z") is None
    assert met("2099-01-01T02:00:00Z") is None


def test_a_preview_of_what_is_not_saved_meets_the_windows_of_the_whole_team(app: Flask) -> None:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    unsaved = f"/teams/{team}/flows/preview"
    assert (ann.post(unsaved, a_flow()).json or {})["maintenance"] is None
    window = ann.make(f"/teams/{team}/maintenance-windows", {"name": "All", "mode": "hold", "hours": ALL_DAY})
    assert (ann.post(unsaved, a_flow()).json or {})["maintenance"]["window_id"] == window["id"]
