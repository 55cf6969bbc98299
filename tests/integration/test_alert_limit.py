"""A team beyond its limit is told when to come again, before anything is written; nobody else is."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy.orm import Session, sessionmaker

from alertops.models import Throttle
from alertops.services.alert_limit import SETTLED, AlertLimit
from alertops.services.gather_starts import StartGatherer
from tests.integration.api_client import Person, a_flow, assert_problem, person, row_counts

PER_MINUTE = 600
AT_ONCE = 100


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def flow_of(somebody: Person) -> str:
    team = somebody.make("/teams", {"name": "Operations"})["id"]
    return str(somebody.make(f"/teams/{team}/flows", a_flow())["id"])


@pytest.fixture
def app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The API, with a limit that a test can reach, as two processes have it one after the other."""
    limit_to(app, monkeypatch)
    return app


def limit_to(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = AlertLimit(PER_MINUTE)
    monkeypatch.setitem(app.extensions, "alertops.alert_limit", limit)
    monkeypatch.setitem(app.extensions, "alertops.gatherer", StartGatherer(limit))


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


def batch(somebody: Person, flow: str, *keys: str | None) -> Any:
    alerts = [{"summary": "disk full", "dedup_key": key} for key in keys]
    return somebody.post(f"/flows/{flow}/executions/batch", {"alerts": alerts})


def exceed(somebody: Person, flow: str) -> None:
    for number in range(3):
        answer = batch(somebody, flow, *(f"{number}-{each}" for each in range(100)))
    assert answer.status_code in (202, 429)


def test_a_team_beyond_its_limit_is_refused_with_nothing_written_and_told_when_to_come(
    ann: Person, session: Session
) -> None:
    flow = flow_of(ann)
    exceed(ann, flow)
    before = row_counts(session)
    for answer in (ann.post(f"/flows/{flow}/executions", {"summary": "one"}), batch(ann, flow, None)):
        assert_problem(answer, 429)
        # Two batches of a hundred where a hundred may come at once: ten seconds' worth are too many.
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert row_counts(session) == before


def test_what_joins_an_execution_is_let_in_beside_the_limit(ann: Person) -> None:
    flow = flow_of(ann)
    exceed(ann, flow)
    again = {"summary": "still full", "dedup_key": "0-1"}
    assert ann.post(f"/flows/{flow}/executions", again).status_code == 200
    assert batch(ann, flow, "0-1", "0-2", "0-1").status_code == 202
    assert_problem(batch(ann, flow, "0-1", "new"), 429)


def test_no_other_team_is_refused(app: Flask, ann: Person) -> None:
    exceed(ann, flow_of(ann))
    ben = person(app, "ben")
    assert batch(ben, flow_of(ben), *[None] * 100).status_code == 202


def test_processes_count_together(app: Flask, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = flow_of(ann)
    exceed(ann, flow)
    limit_to(app, monkeypatch)  # another process, which has seen none of it
    assert batch(ann, flow, *[None] * SETTLED).status_code == 202
    assert_problem(batch(ann, flow, None), 429)


def test_a_quiet_team_is_counted_in_memory_alone_and_what_it_opened_leaks_away(session: Session) -> None:
    clock = Clock()
    limit = AlertLimit(PER_MINUTE, clock)
    team = uuid4()
    for _ in range(20):
        limit.count(session, team, 40)
        clock.now += 4  # 40 leak away in that time
    assert session.query(Throttle).count() == 0
    limit.count(session, team, SETTLED)
    assert session.query(Throttle).count() == 1


def test_the_wait_is_over_when_it_was_said_to_be(sessions: sessionmaker[Session]) -> None:
    clock = Clock()
    limit, team = AlertLimit(PER_MINUTE, clock), uuid4()
    with sessions() as session:
        limit.count(session, team, AT_ONCE + 35)
    assert limit.wait(team) == 4
    clock.now += 3.4
    assert limit.wait(team) == 1
    clock.now += 0.2
    assert limit.wait(team) == 0


def test_without_a_limit_nothing_is_counted(session: Session) -> None:
    limit = AlertLimit(0)
    team = uuid4()
    limit.count(session, team, 1_000_000)
    assert limit.wait(team) == 0
    assert session.query(Throttle).count() == 0
