"""/metrics answers in time and tells which server does not, whichever is down or hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, sleep

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.questions import ANSWER_SECONDS
from deploy.local.stack import PrivateStack
from tests.figures import read_figures
from tests.integration.conftest import RecordingPublisher, application

NO_DATABASE = "postgresql+psycopg2://nobody:secret@127.0.0.1:1/nothing"
ALWAYS_THERE = {"alertops_build_info", "alertops_database_up", "alertops_broker_up"}


def names(figures: dict[str, float]) -> set[str]:
    return {name.partition("{")[0] for name in figures}


def await_(condition: Callable[[], bool]) -> None:
    deadline = perf_counter() + 10
    while not condition():
        assert perf_counter() < deadline
        sleep(0.05)


def scrape(app: Flask) -> dict[str, float]:
    """One scrape, which must have succeeded, and in time."""
    began = perf_counter()
    answer = app.test_client().get("/metrics")
    # Both servers at once, not one after the other.
    assert perf_counter() - began < 2 * ANSWER_SECONDS
    assert answer.status_code == 200
    return read_figures(answer.text)


@pytest.fixture
def hanging(silent_address: str, publisher: RecordingPublisher) -> Flask:
    database = f"postgresql+psycopg2://u:p@{silent_address}/x"
    return application(database, publisher, f"amqp://u:p@{silent_address}/")


def test_without_a_broker_the_databases_figures_are_there(app: Flask) -> None:
    figures = scrape(app)
    assert figures["alertops_database_up"] == 1
    assert figures["alertops_broker_up"] == 0
    assert "alertops_steps_waiting" in figures
    assert not [name for name in figures if "queue" in name or "dead" in name]


def test_without_a_database_a_scrape_succeeds_and_says_so(
    stack: PrivateStack, publisher: RecordingPublisher
) -> None:
    figures = scrape(application(NO_DATABASE, publisher, stack.addresses.broker_url))
    assert figures["alertops_database_up"] == 0
    assert figures["alertops_broker_up"] == 1
    assert names(figures) - {"alertops_queue_ready", "alertops_queue_consumers", "alertops_dead_letters"} == (
        ALWAYS_THERE
    )


def test_a_database_that_was_never_migrated_is_not_up(app: Flask, session: Session) -> None:
    session.execute(text("ALTER TABLE recovery_totals RENAME TO hidden"))
    session.commit()
    try:
        assert scrape(app)["alertops_database_up"] == 0
    finally:
        session.execute(text("ALTER TABLE hidden RENAME TO recovery_totals"))
        session.commit()
    assert scrape(app)["alertops_database_up"] == 1


def test_servers_that_hang_hold_neither_a_scrape_nor_more_threads_with_each(hanging: Flask) -> None:
    assert names(scrape(hanging)) == ALWAYS_THERE
    before = threading.active_count()
    with ThreadPoolExecutor(16) as pool:
        for figures in pool.map(lambda _: scrape(hanging), range(16)):
            assert names(figures) == ALWAYS_THERE
            assert figures["alertops_database_up"] == figures["alertops_broker_up"] == 0
    # Fewer, if threads of an earlier test have ended meanwhile.
    assert threading.active_count() <= before


def test_a_query_that_waits_is_given_up_also_by_the_database(app: Flask, session: Session) -> None:
    working = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'active' AND wait_event_type = 'Lock'"
    )
    session.execute(text("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE"))
    figures = scrape(app)
    assert figures["alertops_database_up"] == 0
    # The lock is still held; whoever waits for it would do so for ever.
    await_(lambda: session.scalar(working) == 0)
    session.rollback()
    await_(lambda: scrape(app)["alertops_database_up"] == 1)


def test_a_scraper_that_prefers_openmetrics_gets_it(client: FlaskClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text")
    families = {family.name: family.type for family in text_string_to_metric_families(answer.text)}
    assert families["alertops_recovered"] == "counter"
    assert client.get("/metrics").content_type.startswith("text/plain; version=0.0.4")
