"""Alerts of one group are one execution for a while: nobody is told twice, and every alert is counted."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import database_now
from alertops.errors import ThrottledError
from alertops.escalation.decision import Reason
from alertops.services.acknowledge import acknowledge
from alertops.services.alert_limit import AlertLimit
from alertops.services.operate import By
from alertops.services.resolve import resolve
from alertops.services.storms.show_alerts import show_alerts
from alertops.services.storms.storm_entries import TOLD_SINGLY
from tests.integration.counting import counted
from tests.integration.heartbeating import Job
from tests.integration.storming import WINDOW, Storm
from tests.integration.world import Broker, World

Sessions = sessionmaker[Session]


@pytest.fixture
def storm(world: World, broker: Broker) -> Storm:
    return Storm(world)


def keys(storm: Storm) -> list[str | None]:
    (execution,) = storm.executions
    return [alert.dedup_key for alert in storm.listed(execution)]


def test_alerts_of_a_group_join_the_first_and_tell_nobody_anew(storm: Storm, broker: Broker) -> None:
    first = storm.one("disk")
    published = len(broker.taken)
    others = [storm.one("load"), storm.one("swap"), storm.one(None)]
    assert first.created
    assert {(other.execution.id, other.created) for other in others} == {(first.execution.id, False)}
    (execution,) = storm.executions
    assert (execution.alert_count, execution.summary, execution.dedup_key) == (4, "disk of db1", "disk")
    assert len(broker.taken) == published
    assert len(storm.world.steps(execution)) == 1
    assert [(a.dedup_key, a.summary, a.severity) for a in storm.listed(execution)] == [
        ("disk", "disk of db1", "error"),
        ("load", "load of db1", "error"),
        ("swap", "swap of db1", "error"),
        (None, "None of db1", "error"),
    ]
    assert storm.world.fire(execution, 1) is Reason.DUE


def test_another_group_and_what_is_silent_about_it_are_on_their_own(storm: Storm) -> None:
    assert all(storm.one(key, host).created for key, host in [("a", "db1"), ("b", "db2"), ("c", None)])
    assert storm.one("d", None).created
    assert [execution.group_key is None for execution in storm.executions] == [False, False, True, True]


def test_a_group_is_what_all_of_its_fields_say(world: World, broker: Broker) -> None:
    storm = Storm(world, "labels.service", "severity")
    for number, (service, severity) in enumerate(
        [("web", "error"), ("web", "info"), ("mail", "error"), ("web", "error")]
    ):
        storm.start(storm.alert(f"k{number}", severity=severity, service=service))
    assert [execution.alert_count for execution in storm.executions] == [2, 1, 1]
    (started,) = storm.told(storm.executions[0], "started")
    assert started["group"] == {"labels.service": "web", "severity": "error"}


def test_when_the_time_is_over_another_takes_over(storm: Storm) -> None:
    first = storm.one("disk").execution
    storm.world.pass_time(first, WINDOW - 5)
    assert not storm.one("load").created
    storm.world.pass_time(first, 6)
    second = storm.one("swap")
    assert second.created
    assert storm.one("cpu").execution.id == second.execution.id
    # What is listed already, and not over, is a repeat for as long as its execution is open.
    assert storm.one("load").execution.id == first.id
    assert storm.one("disk").execution.id == first.id


def test_what_ended_takes_in_nobody(storm: Storm) -> None:
    first = storm.one("disk").execution
    resolve(storm.world.session, storm.world.dispatcher, first.id, By(storm.world.owner.id))
    assert storm.one("load").created


def test_who_is_acknowledged_takes_in_what_comes_in_silence(storm: Storm, broker: Broker) -> None:
    first = storm.one("disk").execution
    acknowledge(storm.world.session, storm.world.dispatcher, first.id, By(storm.world.owner.id))
    broker.taken.clear()
    joined = storm.one("load")
    assert (joined.execution.id, joined.execution.status, broker.taken) == (first.id, "acknowledged", [])


def test_what_is_worse_opens_its_own_and_takes_in_the_rest(storm: Storm) -> None:
    warning = storm.one("slow", severity="warning").execution
    critical = storm.one("down", severity="critical")
    assert critical.created
    assert storm.one("dead", severity="critical").execution.id == critical.execution.id
    assert storm.one("late", severity="info").execution.id in (warning.id, critical.execution.id)
    assert storm.one("slow", severity="critical").execution.id == warning.id  # a repeat, as ever
    assert len(storm.executions) == 2


def test_of_a_batch_the_worst_opens(storm: Storm) -> None:
    severities = ["info", "critical", "warning", "critical", "error"]
    started = storm.start(*(storm.alert(f"k{n}", severity=s) for n, s in enumerate(severities)))
    assert [one.created for one in started] == [False, True, False, False, False]
    (execution,) = storm.executions
    assert (execution.severity, execution.alert_count) == ("critical", 5)
    assert sorted(keys(storm)) == ["k0", "k1", "k2", "k3", "k4"]


def test_a_repeat_is_counted_and_listed_once(storm: Storm) -> None:
    storm.start(*(storm.alert(key) for key in ("disk", "load", "disk", "load", "load")))
    storm.one("load")
    (execution,) = storm.executions
    assert execution.alert_count == 6
    assert [(a.dedup_key, a.alert_count) for a in storm.listed(execution)] == [("disk", 2), ("load", 4)]


def test_a_storm_is_told_in_a_few_lines_and_listed_whole(storm: Storm) -> None:
    for batch in range(10):
        storm.start(*(storm.alert(f"k{batch}-{n}") for n in range(100)))
    (execution,) = storm.executions
    assert execution.alert_count == 1000
    assert len(storm.listed(execution)) == 1000
    assert len(storm.told(execution, "alert_joined")) == TOLD_SINGLY - 1
    counts = [entry["alert_count"] for entry in storm.told(execution, "alerts_joined")]
    assert counts == [100, 200, 300, 600]
    assert len(storm.world.events(execution)) < 20


def test_a_batch_that_joins_costs_as_many_statements_whatever_its_size(
    storm: Storm, sessions: Sessions
) -> None:
    storm.one("first")
    costs = []
    for size in (1, 100):
        with counted(sessions.kw["bind"]) as cost:
            storm.start(*(storm.alert(f"{size}-{n}") for n in range(size)))
        costs.append(cost)
    one, hundred = costs
    # What locks, what looks, what locks the execution; its count, its alerts, its timeline or the time.
    assert (one.statements, hundred.statements) == (6, 6)
    assert (one.flushes, hundred.flushes) == (1, 1)


def test_a_flow_that_groups_nothing_pays_nothing(world: World, sessions: Sessions, broker: Broker) -> None:
    plain, storm = Storm(world, "severity"), Storm(world)
    world.session.execute(
        text("UPDATE revisions SET definition = definition - 'group_by' WHERE flow_id = :id"),
        {"id": plain.flow_id},
    )
    world.session.commit()
    opened = []
    for each in (plain, storm):
        each.one("known")
        with counted(sessions.kw["bind"]) as cost:
            each.one("other", "db9")
        opened.append(cost.statements)
    assert opened[0] == opened[1] - 3  # the locks, the look, the list


def test_who_does_not_know_yet_that_a_flow_groups_begins_anew(storm: Storm) -> None:
    """The first alerts of a flow in a process: they are all there, and one execution."""
    started = storm.start(*(storm.alert(f"k{n}") for n in range(5)))
    assert [one.created for one in started].count(True) == 1
    assert len(storm.executions) == 1


def test_an_edit_counts_for_what_is_opened_from_then_on(storm: Storm) -> None:
    world = storm.world
    storm.one("disk")
    world.session.execute(
        text(
            "INSERT INTO revisions (flow_id, number, definition, created_at) SELECT flow_id, 2,"
            " definition || '{\"group_by\": []}', now() FROM revisions WHERE flow_id = :id"
        ),
        {"id": storm.flow_id},
    )
    world.session.execute(text("UPDATE flows SET revision_number = 2"))
    world.session.commit()
    assert storm.one("a", "db2").created
    assert storm.one("b", "db2").created  # they are on their own now
    assert storm.one("load").created
    assert [execution.group_key is None for execution in storm.executions] == [False, True, True, True]


def test_beyond_its_limit_a_team_joins_and_opens_nothing(
    storm: Storm, monkeypatch: pytest.MonkeyPatch
) -> None:
    storm.one("disk")
    limit = AlertLimit(6000)
    monkeypatch.setattr(limit, "wait", lambda _: 9)
    (joined,) = storm.start(storm.alert("load"), limit=limit)
    assert not joined.created
    with pytest.raises(ThrottledError):
        storm.start(storm.alert("load"), storm.alert("swap", "db2"), limit=limit)
    assert storm.executions[0].alert_count == 2


def test_silent_jobs_of_a_group_are_one_alert_and_over_when_all_have_pinged(
    world: World, sessions: Sessions, broker: Broker
) -> None:
    storm = Storm(world, "severity")
    first, second = (Job(world, sessions, flow=storm.flow, name=name) for name in ("Backup", "Mail"))
    execution = first.miss()
    second.miss()
    (only,) = storm.executions
    assert (only.id, only.alert_count) == (execution.id, 2)
    assert first.row.execution_id == second.row.execution_id == execution.id
    first.ping()
    assert world.status(execution) == "running"
    assert [alert.resolved_at is None for alert in storm.listed(execution)] == [False, True]
    second.ping()
    assert world.status(execution) == "resolved"


def test_what_people_see_of_it(storm: Storm) -> None:
    session = storm.world.session
    for key in ("disk", "load", "swap"):
        storm.one(key)
    (execution,) = storm.executions
    first = show_alerts(session, execution, limit=2)
    assert [alert.dedup_key for alert in first.items] == ["disk", "load"]
    assert (first.alerts, first.unresolved) == (3, 3)
    rest = show_alerts(session, execution, limit=2, after=first.next or 0)
    assert ([alert.dedup_key for alert in rest.items], rest.next) == (["swap"], None)
    resolve(session, storm.world.dispatcher, execution.id, By(storm.world.owner.id))
    (execution,) = storm.executions
    ended = show_alerts(session, execution, limit=10)
    assert {alert.resolved_at for alert in ended.items} == {execution.ended_at}
    assert (ended.alerts, ended.unresolved) == (3, 0)
    assert execution.ended_at is not None
    assert execution.ended_at <= database_now(session)


def test_an_execution_that_takes_in_nobody_has_its_one_alert(storm: Storm) -> None:
    execution = storm.one("disk", None).execution
    storm.one("disk", None)
    (execution,) = storm.executions
    page = show_alerts(storm.world.session, execution, limit=10)
    (alert,) = page.items
    assert (alert.dedup_key, alert.alert_count, alert.resolved_at) == ("disk", 2, None)
    assert (page.alerts, page.unresolved) == (1, 1)
    assert show_alerts(storm.world.session, execution, limit=10, after=1).items == []
