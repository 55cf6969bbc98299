"""`alertops verify` on a real database: it says what is broken, shows it, and changes nothing."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.orm import Session

from alertops.cli import main
from alertops.models import Execution
from tests.integration.world import World, node


@pytest.fixture
def finished(world: World) -> Execution:
    """An alert that went its whole way, hours ago."""
    execution = world.start(world.flow(node("first", 60), node("second", 60)))
    for step in (1, 2):
        world.pass_time(execution, 60)
        world.fire(execution, step)
        world.send(execution, step)
    assert world.status(execution) == "exhausted"
    world.pass_time(execution, 7200)
    return execution


def verify(database_url: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["verify", "--database-url", database_url, *options])


def change(session: Session, statement: str, execution: Execution) -> None:
    session.execute(text(statement), {"id": execution.id})
    session.commit()


def test_kept_promises_are_counted(finished: Execution, database_url: str) -> None:
    result = verify(database_url)
    assert result.exit_code == 0, result.output
    assert "1 executions checked" in result.output
    assert "2 x every step that came due before the answer has fired" in result.output
    assert "not checked, as it takes the mails" in result.output
    assert "all promises kept" in result.output


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(
            "DELETE FROM steps WHERE execution_id = :id AND number = 2",
            "BROKEN planned: the last step",
            id="lost",
        ),
        pytest.param(
            "DELETE FROM attempts WHERE execution_id = :id", "BROKEN told: step 1", id="told nobody"
        ),
        pytest.param(
            "UPDATE steps SET fired_at = due_at + interval '21 s' WHERE execution_id = :id",
            "BROKEN not late: step 1",
            id="late",
        ),
        pytest.param(
            "UPDATE attempts SET address = 'stranger@example.com' WHERE execution_id = :id",
            "BROKEN addressed: step 1",
            id="to a stranger",
        ),
        pytest.param(
            "UPDATE timeline SET event = 'acknowledged', at = at - interval '1 hour'"
            " WHERE execution_id = :id AND event = 'exhausted'",
            "BROKEN silent: step 1",
            id="not silent",
        ),
    ],
)
def test_broken_promise_is_told_with_its_evidence(
    finished: Execution, database_url: str, session: Session, damage: str, said: str
) -> None:
    change(session, damage, finished)
    result = verify(database_url)
    assert result.exit_code == 1
    assert said in result.output
    assert f"execution {finished.id}" in result.output
    assert "step_fired" in result.output, "the timeline is missing"


def test_since_leaves_out_what_began_before(finished: Execution, database_url: str, session: Session) -> None:
    change(session, "DELETE FROM attempts WHERE execution_id = :id", finished)
    assert verify(database_url, "--since", "2020-01-01").exit_code == 1
    later = verify(database_url, "--since", "2200-01-01T00:00:00+02:00")
    assert later.exit_code == 0
    assert "0 executions checked" in later.output


def test_more_executions_than_a_page_are_all_checked(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = world.flow(node("first", 3600))
    for _ in range(7):
        world.start(flow)
    monkeypatch.setattr("alertops.verify.read.PAGE", 3)
    assert "7 executions checked" in verify(database_url).output


def test_what_cannot_be_used_is_said_in_a_sentence() -> None:
    unreachable = verify("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    assert unreachable.exit_code == 1
    assert "the database cannot be read" in unreachable.output
    senseless = verify("postgresql+psycopg2://nobody@127.0.0.1:1/nothing", "--since", "yesterday")
    assert senseless.exit_code == 2
    assert "'yesterday' is not a time" in senseless.output
