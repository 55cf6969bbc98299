"""What an accepted alert costs, counted: a number that grows here is paid for every alert.

As they come in, over HTTP with a key. Counts do not depend on what else the machine does; times do, and are
not asked for here (`python -m tests.benchmarks --only ingest` measures them).
"""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from api.extensions import db
from tests.integration.api_client import a_flow, person
from tests.integration.conftest import RecordingPublisher
from tests.integration.counting import Cost, counted

EACH = 100
ALERT = {"summary": "disk full", "severity": "critical", "details": {"host": "db1"}}


class Monitoring:
    """A program that raises alerts with its key; everything that is remembered between requests is known."""

    def __init__(self, app: Flask, publisher: RecordingPublisher) -> None:
        self._app, self._publisher = app, publisher
        self._client = app.test_client()
        ann = person(app, "ann")
        team = ann.make("/teams", {"name": "Operations"})["id"]
        key = ann.make(f"/teams/{team}/api-keys", {"name": "CI", "scopes": ["trigger"]})["key"]
        self._path = f"/api/v1/flows/{ann.make(f'/teams/{team}/flows', a_flow())['id']}/executions"
        self._headers = {"Authorization": f"Bearer {key}"}
        self.one(dedup_key="open")

    def one(self, **more: Any) -> tuple[Cost, int]:
        """What an alert costs, and how many messages it published."""
        return self._post(self._path, {**ALERT, **more})

    def batch(self, *alerts: dict[str, Any]) -> tuple[Cost, int]:
        return self._post(f"{self._path}/batch", {"alerts": alerts})

    def _post(self, path: str, body: Any) -> tuple[Cost, int]:
        with self._app.app_context():
            engine = db.engine
        before = len(self._publisher.messages)
        with counted(engine) as cost:
            answer = self._client.post(path, json=body, headers=self._headers)
        assert answer.status_code in (200, 202), answer.text
        return cost, len(self._publisher.messages) - before


@pytest.fixture
def monitoring(app: Flask, publisher: RecordingPublisher) -> Monitoring:
    return Monitoring(app, publisher)


def test_an_alert_alone(monitoring: Monitoring) -> None:
    cost, messages = monitoring.one()
    # The key; then execution, step and timeline; then the mark, which does not wait for the disk.
    assert (cost.commits, cost.flushes, messages) == (2, 1, 1)
    assert cost.statements <= 8
    assert cost.round_trips <= 14


def test_an_alert_that_joins_an_execution(monitoring: Monitoring) -> None:
    cost, messages = monitoring.one(dedup_key="open")
    assert (cost.commits, cost.flushes, messages) == (1, 1, 0)
    assert cost.statements <= 6
    assert cost.round_trips <= 10


def test_a_batch_costs_the_database_no_more_statements_than_one_alert(monitoring: Monitoring) -> None:
    alone, _ = monitoring.one()
    cost, messages = monitoring.batch(*[ALERT] * EACH)
    assert (cost.commits, cost.flushes, messages) == (3, 1, EACH)
    # And the count of what the team has opened, which is settled now and then.
    assert cost.statements <= alone.statements + 3
    assert cost.round_trips <= alone.round_trips + 5
    assert cost.rows_read <= 24 * EACH


def test_a_batch_of_repeats_and_new_ones_costs_two_statements_more(monitoring: Monitoring) -> None:
    new, _ = monitoring.batch(*[{**ALERT, "dedup_key": f"new-{n}"} for n in range(10)])
    repeats = [{**ALERT, "dedup_key": key} for n in range(10) for key in ("open", f"new-{n}", f"newer-{n}")]
    both, messages = monitoring.batch(*repeats)
    assert (both.commits, both.flushes, messages) == (2, 1, 10)
    assert both.statements <= new.statements + 2
