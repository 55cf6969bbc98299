"""Recovery says how far it is, and leaves behind when it last got through and what it found."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import BrokerEpoch
from alertops.services.recover import PAGES_PER_REPORT
from tests.integration.recovering import NOTHING, Markers, Recover, Sessions, runner
from tests.integration.world import Broker, World, down, node


@pytest.fixture
def run(world: World, sessions: Sessions, broker: Broker, markers: Markers) -> Recover:
    run = runner(sessions, world, markers)
    assert run() == NOTHING
    return run


def last_run(session: Session) -> BrokerEpoch:
    session.expire_all()
    found = session.scalars(select(BrokerEpoch)).one()
    session.commit()
    return found


def test_the_last_run_that_got_through_is_kept_with_its_counts(
    world: World, broker: Broker, run: Recover
) -> None:
    execution = world.start(world.flow(node("a", 60)))
    world.pass_time(execution, 66)
    before = last_run(world.session)
    assert before.last_run_counts == {
        "broker_emptied": 0,
        "never_dispatched": 0,
        "overdue": 0,
        "lease_expired": 0,
    }
    first_run_at = before.last_run_at
    assert first_run_at is not None
    run()
    after = last_run(world.session)
    assert after.last_run_counts == {**(before.last_run_counts or {}), "overdue": 1}
    assert after.last_run_at is not None
    assert after.last_run_at > first_run_at
    assert after.last_run_seconds is not None
    assert 0 < after.last_run_seconds < 10

    broker.on_publish = down
    world.pass_time(execution, 16)
    assert run() == NOTHING
    assert last_run(world.session).last_run_at == after.last_run_at


def test_a_long_run_says_how_far_it_is(
    world: World, broker: Broker, markers: Markers, run: Recover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertops.services.recover.PAGE", 2)
    lines: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(
        "alertops.services.recover.log.info", lambda event, **fields: lines.append((event, fields))
    )
    flow = world.flow(node("a", 600))
    for _ in range(2 * PAGES_PER_REPORT * 2 + 1):
        world.start(flow)
    markers.wipe()
    run()
    assert lines == [
        ("recovering", {"reason": "broker_emptied", "so_far": 2 * PAGES_PER_REPORT}),
        ("recovering", {"reason": "broker_emptied", "so_far": 4 * PAGES_PER_REPORT}),
    ]
