"""`alertops prune`: counts, says how far it is, refuses what is too young."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from alertops.cli import main
from alertops.models import Execution
from tests.integration.world import World, node

SOME = """
    WITH team AS (INSERT INTO teams (name) VALUES ('T') RETURNING id),
    flow AS (INSERT INTO flows (team_id, name, revision_number) SELECT id, 'F', 1 FROM team RETURNING *),
    revision AS (INSERT INTO revisions (flow_id, number, definition) SELECT id, 1, '{}' FROM flow)
    INSERT INTO executions (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at,
        ended_at)
    SELECT team_id, id, 1, 'resolved', 's', 'info', '{}', now(), now() - days * interval '1 day'
    FROM flow, (VALUES (1), (100), (200), (300)) AS _ (days)
"""


def run(database_url: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["prune", "--database-url", database_url, *options])


def executions(session: Session) -> int | None:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Execution))


@pytest.fixture
def some(session: Session) -> None:
    session.execute(text(SOME))
    session.commit()


@pytest.mark.usefixtures("some")
def test_a_dry_run_counts_and_deletes_nothing(session: Session, database_url: str) -> None:
    result = run(database_url, "--older-than", "90d", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "executions: 3 to delete\n" in result.output
    assert executions(session) == 4


@pytest.mark.usefixtures("some")
def test_a_run_says_what_it_has_done(session: Session, database_url: str) -> None:
    result = run(database_url, "--older-than", "150d", "--batch", "1")
    assert result.exit_code == 0, result.output
    assert "executions: 2 deleted in " in result.output
    assert executions(session) == 2
    assert "executions: 0 deleted in " in run(database_url, "--older-than", "150d").output


def test_what_is_kept_is_said(world: World, database_url: str, session: Session) -> None:
    execution = world.start(world.flow(node("a", 60), resolve_after_seconds=90 * 86400))
    world.pass_time(execution, 60)
    world.fire(execution, 1)
    world.send(execution, 1)
    world.pass_time(execution, 100 * 86400)
    result = run(database_url, "--older-than", "30d")
    assert "executions: 1 kept, as something of them is not over yet" in result.output
    assert executions(session) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Missing option '--older-than'"),
        (["--older-than", "23h"], "at least 1d, not 23h"),
        (["--older-than", "ninety"], "'ninety' is not an age such as 90d or 36h"),
        (["--older-than", "90d", "--audit-older-than", "364d"], "at least 365d, not 364d"),
    ],
)
@pytest.mark.usefixtures("some")
def test_what_is_too_young_is_refused(
    session: Session, database_url: str, options: list[str], said: str
) -> None:
    result = run(database_url, *options)
    assert result.exit_code == 2
    assert said in result.output
    assert executions(session) == 4
