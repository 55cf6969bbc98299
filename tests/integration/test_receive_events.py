"""All that a request brings is done in one transaction, in its order, whoever else does the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from alertops.intake.event import Action, Event
from alertops.models import Integration
from alertops.services.dispatch import Dispatcher
from alertops.services.intake import receive_events as service
from alertops.services.intake.receive_events import Outcome, receive_events
from alertops.services.integrations.authenticate_integration import WayIn
from tests.integration.api_client import row_counts
from tests.integration.conftest import RecordingPublisher
from tests.integration.doors import Door, door, executions, told

Step = tuple[Action, str]
TRIGGER, ACKNOWLEDGE, RESOLVE = Action.TRIGGER, Action.ACKNOWLEDGE, Action.RESOLVE


@pytest.fixture
def way_in(app: Flask, session: Session) -> WayIn:
    """That of an integration, without a request."""
    made = door(app, "generic").made
    integration = session.get_one(Integration, made["id"])
    session.expunge(integration)
    session.rollback()
    return WayIn.of(integration)


def events(*steps: Step) -> list[Event]:
    return [Event(action, key, summary=f"{key} is down") for action, key in steps]


def test_a_mixed_batch_is_done_in_its_order(
    way_in: WayIn, session: Session, publisher: RecordingPublisher
) -> None:
    steps = [
        (TRIGGER, "a"),
        (TRIGGER, "b"),
        (TRIGGER, "a"),
        (ACKNOWLEDGE, "b"),
        (RESOLVE, "a"),
        (RESOLVE, "a"),
    ]
    steps += [(TRIGGER, "a"), (RESOLVE, "nothing")]
    received = receive_events(session, Dispatcher(publisher), way_in, events(*steps))
    assert [one.outcome for one in received] == [
        Outcome.OPENED,
        Outcome.OPENED,
        Outcome.JOINED,
        Outcome.ACKNOWLEDGED,
        Outcome.RESOLVED,
        Outcome.DROPPED,
        Outcome.OPENED,
        Outcome.DROPPED,
    ]
    first, b, second = (received[place].execution_ids[0] for place in (0, 1, 6))
    assert told(session, first) == ["started", "alert_repeated", "resolved"]
    assert told(session, b) == ["started", "acknowledged"]
    assert told(session, second) == ["started"]
    assert {message.args[0] for message in publisher.messages} == {str(first), str(b), str(second)}


def test_what_is_resolved_waits_for_nothing_any_more(way_in: WayIn, session: Session) -> None:
    dispatcher = Dispatcher(RecordingPublisher())
    receive_events(session, dispatcher, way_in, events((TRIGGER, "a"), (TRIGGER, "b")))
    receive_events(session, dispatcher, way_in, events((RESOLVE, "a")))
    query = text(
        "SELECT e.dedup_key, s.status, e.ended_at IS NULL"
        " FROM steps s JOIN executions e ON e.id = s.execution_id"
    )
    assert {tuple(row) for row in session.execute(query)} == {
        ("a", "cancelled", False),
        ("b", "waiting", True),
    }


def test_a_batch_is_one_transaction_and_a_few_statements(way_in: WayIn, session: Session) -> None:
    """As many for a hundred alerts as for two."""
    engine: Any = session.get_bind()
    dispatcher = Dispatcher(RecordingPublisher())
    receive_events(session, dispatcher, way_in, events((TRIGGER, "so that the flow has been read")))
    counts = []
    for size in (2, 100):
        keys = [f"{size}-{number}" for number in range(size)]
        for action in (TRIGGER, TRIGGER, RESOLVE):
            counts.append(_statements(engine, session, dispatcher, way_in, [(action, key) for key in keys]))
    assert counts[:3] == counts[3:]
    assert max(statements for statements, _ in counts) <= 15
    # The second is the mark that wake-ups were published.
    assert max(commits for _, commits in counts) <= 3


def _statements(
    engine: Engine, session: Session, dispatcher: Dispatcher, way_in: WayIn, steps: list[Step]
) -> tuple[int, int]:
    """How many statements and commits it takes; an insert of many rows may be several for the driver."""
    seen = {"statements": 0, "commits": 0}

    def note(*_: Any) -> None:
        seen["statements"] += 1

    def committed(*_: Any) -> None:
        seen["commits"] += 1

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", committed)
    receive_events(session, dispatcher, way_in, events(*steps))
    event.remove(engine, "before_cursor_execute", note)
    event.remove(engine, "commit", committed)
    return seen["statements"], seen["commits"]


def test_nothing_is_half_written(way_in: WayIn, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolve that fails takes back the triggers that came with it."""
    dispatcher = Dispatcher(RecordingPublisher())
    receive_events(session, dispatcher, way_in, events((TRIGGER, "old")))
    before = row_counts(session)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(service, "end_executions", fail)
    with pytest.raises(RuntimeError):
        receive_events(session, dispatcher, way_in, events((TRIGGER, "new"), (RESOLVE, "old")))
    assert row_counts(session) == before


def test_a_victim_of_a_deadlock_begins_anew(
    way_in: WayIn, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, real = iter(range(10)), service.end_executions

    def once(*given: Any, **more: Any) -> None:
        if next(tries) == 0:
            raise OperationalError("UPDATE", {}, Exception("deadlock detected"))
        real(*given, **more)

    monkeypatch.setattr(service, "end_executions", once)
    steps = events((TRIGGER, "a"), (TRIGGER, "a"), (RESOLVE, "a"))
    received = receive_events(session, Dispatcher(RecordingPublisher()), way_in, steps)
    assert [one.outcome for one in received] == [Outcome.OPENED, Outcome.JOINED, Outcome.RESOLVED]
    assert len(executions(session)) == 1


def test_two_that_bring_the_same_at_once_leave_one_of_each(
    way_in: WayIn, sessions: sessionmaker[Session], session: Session
) -> None:
    """As two Alertmanagers of a cluster do, in whatever order each has its alerts."""
    keys = [f"k{number}" for number in range(20)]

    def bring(order: list[str], action: Action) -> list[Outcome]:
        with sessions() as own:
            steps = events(*((action, key) for key in order))
            return [
                one.outcome for one in receive_events(own, Dispatcher(RecordingPublisher()), way_in, steps)
            ]

    with ThreadPoolExecutor(4) as pool:
        for action, once in ((TRIGGER, Outcome.OPENED), (RESOLVE, Outcome.RESOLVED)):
            orders = [keys, keys[::-1], keys[7:] + keys[:7], keys]
            outcomes = [one for done in pool.map(bring, orders, [action] * 4) for one in done]
            assert outcomes.count(once) == len(keys)
    found = executions(session)
    assert [execution.status for execution in found] == ["resolved"] * len(keys)
    assert {execution.alert_count for execution in found} == {4}


def test_a_thousand_alerts_are_taken_at_once(app: Flask, client: FlaskClient, session: Session) -> None:
    way_in: Door = door(app, "alertmanager")
    labels = {"alertname": "DiskFull", "instance": "db.example.com:9100", "severity": "warning"}
    alerts = [
        {"status": "firing", "fingerprint": f"{n:016x}", "startsAt": "2024-02-29T12:00:00Z", "labels": labels}
        for n in range(1000)
    ]
    assert way_in.send(client, {"version": "4", "alerts": alerts}).status_code == 202
    assert len(executions(session)) == 1000
    over = [{**alert, "status": "resolved"} for alert in alerts]
    answer = way_in.send(client, {"version": "4", "alerts": over})
    assert {one["outcome"] for one in (answer.json or {})["events"]} == {"resolved"}
