"""Poison: messages that nobody can work on are set aside, seen, and stop nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from kombu import Connection, Producer

from alertops.cli import main
from deploy.local.stack import Addresses
from tasks import dead_letters
from tasks.poison import TRIES
from tasks.queues import DEAD_LETTER_QUEUE, EXCHANGE
from tests.acceptance.alerts import Alerts, node, until
from tests.acceptance.nodes import FleetSetup

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet", "celery_setup")]

Command = Callable[..., Result]


@pytest.fixture
def connection(addresses: Addresses) -> Iterator[Connection]:
    with Connection(addresses.broker_url) as connection:
        DEAD_LETTER_QUEUE.bind(connection.default_channel).purge()
        yield connection


@pytest.fixture
def command(addresses: Addresses) -> Command:
    """`alertops dead-letters ...`, as an operator types it."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["dead-letters", "--broker-url", addresses.broker_url, *arguments])

    return run


def publish(connection: Connection, body: Any, **properties: Any) -> None:
    Producer(connection).publish(body, exchange=EXCHANGE.name, routing_key="fire", **properties)


def task_headers(task: str, id_: str) -> dict[str, Any]:
    return {"lang": "py", "task": task, "id": id_, "root_id": id_, "argsrepr": "('poison',)"}


def poison(connection: Connection) -> tuple[str, str]:
    """An unreadable body, an unknown task, and a known one that always raises; the ids of the last two."""
    unknown, raising = str(uuid4()), str(uuid4())
    publish(connection, b"{nonsense", content_type="application/json", content_encoding="utf-8")
    arguments = [["no uuid at all", 1], {}, {"callbacks": None, "errbacks": None, "chain": None}]
    publish(connection, arguments, serializer="json", headers=task_headers("alertops.no_such_task", unknown))
    publish(connection, arguments, serializer="json", headers=task_headers("alertops.fire_step", raising))
    return unknown, raising


def await_dead_letters(connection: Connection, count: int) -> None:
    until(lambda: dead_letters.count(connection) == count, within=10, what=f"{count} dead letters")


def test_what_cannot_be_worked_on_is_set_aside_and_stops_nobody(
    alerts: Alerts, connection: Connection, command: Command
) -> None:
    unknown, raising = poison(connection)
    await_dead_letters(connection, 3)
    listed = command("list")
    assert listed.exit_code == 0
    assert "3 dead letters" in listed.output
    assert "alertops.no_such_task" in listed.output
    assert raising in listed.output
    assert "{nonsense" in listed.output
    shown = command("show", unknown)
    assert '"task": "alertops.no_such_task"' in shown.output
    # To look at them leaves them where they are.
    await_dead_letters(connection, 3)
    alert = alerts.raise_with(node("after-poison@example.org", 0))
    alert.await_delivered(1, within=5)


def test_a_task_that_raises_is_tried_a_few_times_before_it_is_set_aside(
    connection: Connection, celery_setup: FleetSetup
) -> None:
    _, raising = poison(connection)
    await_dead_letters(connection, 3)
    logs = "".join(worker.logs() for worker in celery_setup.workers)
    tried = [line for line in logs.splitlines() if raising in line and "task_raised" in line]
    assert len(tried) == TRIES - 1
    letter = next(letter for letter in dead_letters.look(connection, 3) if letter.id == raising)
    assert letter.reason == "rejected"


def test_a_dead_letter_is_retried_on_its_own_queue_and_comes_back_when_it_still_fails(
    connection: Connection, command: Command
) -> None:
    _, raising = poison(connection)
    await_dead_letters(connection, 3)
    retried = command("retry", raising)
    assert retried.exit_code == 0, retried.output
    assert f"retried {raising}  fire" in retried.output
    await_dead_letters(connection, 3)


def test_dead_letters_are_dropped_by_id_or_all(connection: Connection, command: Command) -> None:
    unknown, _ = poison(connection)
    await_dead_letters(connection, 3)
    assert command("drop", unknown).exit_code == 0
    await_dead_letters(connection, 2)
    assert command("drop", "--all").exit_code == 0
    await_dead_letters(connection, 0)


def test_a_command_that_names_nothing_or_what_is_not_there_says_so(
    connection: Connection, command: Command
) -> None:
    assert "Name the ids of dead letters, or say --all." in command("drop").output
    missing = command("retry", "no-such-id")
    assert missing.exit_code == 1
    assert "Not among the first 100: no-such-id." in missing.output
