"""/metrics: durable counters of recovery and counts of open work, the same from every API process."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from alertops.channels.base import ChannelError
from alertops.models import BrokerEpoch, Flow, Team
from alertops.models.letter import LetterKind
from alertops.services.acknowledge import acknowledge
from alertops.services.letters.write_letter import write_letter
from alertops.services.operate import By
from alertops.services.recover import Recovered
from alertops.services.resolve import resolve
from tests.figures import read_figures
from tests.integration.conftest import RecordingPublisher, application
from tests.integration.posting import PostOffice
from tests.integration.recovering import Markers, Recover, Sessions, runner
from tests.integration.world import Broker, World, down, node

Figures = Callable[[], dict[str, float]]

DOCUMENTED = Path(__file__).parents[2] / "docs" / "metrics.md"
REASONS = ("broker_emptied", "never_dispatched", "overdue", "lease_expired")
IN_THE_BROKER = {"alertops_queue_ready", "alertops_queue_consumers", "alertops_dead_letters"}


@pytest.fixture
def figures(client: FlaskClient) -> Figures:
    def scrape() -> dict[str, float]:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        return read_figures(answer.text)

    return scrape


@pytest.fixture
def run(world: World, sessions: Sessions, broker: Broker, markers: Markers) -> Recover:
    return runner(sessions, world, markers)


def recovered(figures: dict[str, float]) -> dict[str, float]:
    return {reason: figures[f'alertops_recovered_total{{reason="{reason}"}}'] for reason in REASONS}


NONE = dict.fromkeys(REASONS, 0.0)


def test_a_fresh_system_has_every_counter_at_zero_and_no_last_run(figures: Figures) -> None:
    found = figures()
    assert recovered(found) == NONE
    assert found["alertops_recovery_runs_total"] == 0
    assert found["alertops_broker_epochs_total"] == 0
    assert found["alertops_oldest_overdue_seconds"] == 0
    assert not [name for name in found if name.startswith("alertops_recovery_last_run")]


def test_each_reason_is_counted_from_run_to_run(
    world: World, run: Recover, markers: Markers, broker: Broker, figures: Figures
) -> None:
    run()
    assert recovered(figures()) == NONE
    flow = world.flow(node("a", 60))
    broker.on_publish = down
    never = world.start(flow)
    broker.on_publish = lambda messages: [True] * len(messages)
    overdue = [world.start(flow), world.start(flow)]
    world.pass_time(never, 6)
    for execution in overdue:
        world.pass_time(execution, 66)
    run()
    assert recovered(figures()) == {**NONE, "never_dispatched": 1, "overdue": 2}
    for execution in overdue:
        world.pass_time(execution, 16)
    run()
    assert recovered(figures()) == {**NONE, "never_dispatched": 1, "overdue": 4}
    markers.wipe()
    run()
    assert recovered(figures()) == {**NONE, "never_dispatched": 1, "overdue": 4, "broker_emptied": 3}


def test_a_lease_that_expired_is_counted(world: World, run: Recover, figures: Figures) -> None:
    run()
    execution = world.start(world.flow(node("a", 0)))
    world.fire(execution, 1)

    def die(_: object) -> None:
        raise KeyboardInterrupt

    world.channel.on_open = die
    with pytest.raises(KeyboardInterrupt):
        world.send(execution, 1)
    world.session.rollback()
    world.pass_time(execution, 25)
    run()
    assert recovered(figures()) == {**NONE, "lease_expired": 1}


def test_a_run_that_did_not_get_through_is_counted_with_what_it_did(
    world: World, run: Recover, broker: Broker, figures: Figures
) -> None:
    run()
    before = figures()
    flow = world.flow(node("a", 60))
    for execution in [world.start(flow), world.start(flow)]:
        world.pass_time(execution, 66)
    broker.on_publish = lambda messages: [True] + [False] * (len(messages) - 1)
    run()
    after = figures()
    assert recovered(after) == {**NONE, "overdue": 1}
    assert after["alertops_recovery_runs_total"] == before["alertops_recovery_runs_total"] + 1
    for name in ("alertops_recovery_last_run_timestamp_seconds", "alertops_recovery_last_run_seconds"):
        assert after[name] == before[name]


def test_a_run_that_crashes_has_counted_the_pages_before(
    world: World, run: Recover, broker: Broker, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setattr("alertops.services.recover.PAGE", 2)
    flow = world.flow(node("a", 60))
    for execution in [world.start(flow) for _ in range(5)]:
        world.pass_time(execution, 66)
    pages: list[int] = []

    def crash_at_the_second(messages: object) -> list[bool]:
        pages.append(1)
        if len(pages) == 2:
            raise KeyboardInterrupt
        return [True, True]

    broker.on_publish = crash_at_the_second
    with pytest.raises(KeyboardInterrupt):
        run()
    assert recovered(figures()) == {**NONE, "overdue": 2}


def test_a_repair_that_cannot_be_counted_goes_on(world: World, run: Recover, broker: Broker) -> None:
    run()
    flow = world.flow(node("a", 60), node("b", 60))
    fired, waiting = world.start(flow), world.start(flow)
    world.pass_time(fired, 60)
    world.fire(fired, 1)
    for execution in (fired, waiting):
        world.pass_time(execution, 66)
    broker.taken.clear()
    world.session.execute(text("ALTER TABLE recovery_totals RENAME TO hidden"))
    world.session.commit()
    try:
        found = run()
    finally:
        world.session.execute(text("ALTER TABLE hidden RENAME TO recovery_totals"))
        world.session.commit()
    assert found == Recovered(overdue=3)
    assert len(broker.taken) == 3


def test_epochs_count_brokers_that_were_found_empty(run: Recover, markers: Markers, figures: Figures) -> None:
    run()
    run()
    assert figures()["alertops_broker_epochs_total"] == 1
    markers.wipe()
    run()
    assert figures()["alertops_broker_epochs_total"] == 2
    assert figures()["alertops_recovery_runs_total"] == 3


def test_the_last_whole_run_is_told_by_the_databases_clock(
    world: World, run: Recover, figures: Figures
) -> None:
    run()
    last = world.session.scalars(select(BrokerEpoch)).one()
    assert last.last_run_at is not None
    found = figures()
    at = found["alertops_recovery_last_run_timestamp_seconds"]
    assert at == pytest.approx(last.last_run_at.timestamp(), abs=0.001)
    assert found["alertops_recovery_last_run_seconds"] == pytest.approx(last.last_run_seconds)


def test_every_api_process_tells_the_same(
    world: World, run: Recover, database_url: str, publisher: RecordingPublisher
) -> None:
    run()
    overdue = world.start(world.flow(node("a", 3600)))
    processes = [application(database_url, publisher) for _ in range(2)]
    one, other = (read_figures(app.test_client().get("/metrics").text) for app in processes)
    assert overdue
    assert one == other


def test_open_work_is_counted_by_its_state(world: World, figures: Figures) -> None:
    flow = world.flow(node("a", 0), node("b", 600))
    running, sending, taken, over = (world.start(flow) for _ in range(4))
    acknowledge(world.session, world.dispatcher, taken.id, By(world.owner.id))
    resolve(world.session, world.dispatcher, over.id, By(world.owner.id))
    for execution in (running, sending):
        world.fire(execution, 1)
    # In the middle of a send, somebody looks.
    seen: list[dict[str, float]] = []
    world.channel.on_open = lambda _: seen.append(figures())
    world.send(sending, 1)
    (found,) = seen
    assert found['alertops_executions{status="running"}'] == 2
    assert found['alertops_executions{status="acknowledged"}'] == 1
    assert found['alertops_executions{status="snoozed"}'] == 0
    assert found['alertops_attempts{status="scheduled"}'] == 1
    assert found['alertops_attempts{status="sending"}'] == 1
    assert found["alertops_steps_waiting"] == 2


def test_letters_are_counted_while_they_are_open_and_for_a_day_if_they_failed(
    world: World, figures: Figures
) -> None:
    kind, office = LetterKind.VERIFY_ADDRESS, PostOffice(world.session)

    def write() -> UUID:
        letter = write_letter(
            world.session, kind, "owner@example.com", lifetime=timedelta(days=1), user_id=world.owner.id
        )
        world.session.commit()
        return letter.id

    def refuse(_: object) -> None:
        seen.append(figures())
        raise ChannelError("550 no", permanent=True)

    seen: list[dict[str, float]] = []
    first, _ = write(), write()
    office.on_open = refuse
    office.send(first)
    (during,) = seen
    statuses = ("scheduled", "sending")
    assert [during[f'alertops_letters{{status="{status}"}}'] for status in statuses] == [1, 1]
    assert during["alertops_letters_failed"] == 0
    after = figures()
    assert [after[f'alertops_letters{{status="{status}"}}'] for status in statuses] == [1, 0]
    assert after["alertops_letters_failed"] == 1
    world.session.execute(text("UPDATE letters SET finished_at = finished_at - interval '25 hours'"))
    world.session.commit()
    assert figures()["alertops_letters_failed"] == 0


def test_what_is_overdue_is_counted_with_the_age_of_the_oldest(world: World, figures: Figures) -> None:
    flow = world.flow(node("a", 60))
    late, later, within_the_grace = (world.start(flow) for _ in range(3))
    world.pass_time(late, 70)
    world.pass_time(within_the_grace, 62)
    found = figures()
    assert found["alertops_steps_overdue"] == 1
    assert found["alertops_attempts_overdue"] == 0
    assert 10 <= found["alertops_oldest_overdue_seconds"] < 15
    world.pass_time(later, 60)
    world.fire(later, 1)
    world.pass_time(later, 300)
    found = figures()
    assert (found["alertops_steps_overdue"], found["alertops_attempts_overdue"]) == (1, 1)
    assert 300 <= found["alertops_oldest_overdue_seconds"] < 310


def test_a_count_stops_at_its_limit(world: World, figures: Figures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.services.measure.COUNTED_AT_MOST", 2)
    flow = world.flow(node("a", 60))
    for _ in range(4):
        world.start(flow)
    assert figures()["alertops_steps_waiting"] == 2
    assert figures()['alertops_executions{status="running"}'] == 2


def test_nothing_of_a_tenant_is_shown(world: World, run: Recover, client: FlaskClient) -> None:
    run()
    execution = world.start(world.flow(node("somebody", 0)), dedup_key="key-of-a-tenant")
    world.fire(execution, 1)
    shown = client.get("/metrics").text
    team, flow = world.session.scalars(select(Team)).one(), world.session.scalars(select(Flow)).one()
    for secret in (
        "somebody",
        "Disk",
        "db1",
        "key-of",
        "example.com",
        *(str(o.id) for o in (team, flow, execution)),
    ):
        assert secret not in shown
    labels = {label for name in read_figures(shown) for label in re.findall(r'[{,](\w+)="', name)}
    assert labels == {"channel", "event", "le", "outcome", "reason", "status", "version"}


def test_every_figure_is_documented_and_every_documented_one_is_there(run: Recover, figures: Figures) -> None:
    run()
    exported = {name.partition("{")[0] for name in figures()} | IN_THE_BROKER
    documented = set(re.findall(r"^\| `(alertops_\w+)", DOCUMENTED.read_text(), re.MULTILINE))
    assert documented == exported
