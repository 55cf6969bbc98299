"""The second wall: a query that forgets whose rows it is for finds none but one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, create_engine, delete, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

import alertops
import api
from alertops.db import Base
from alertops.models import Execution, Team, User
from alertops.models.api_key import Scope
from alertops.services.access.actor import Person, Program
from alertops.services.access.wall import WALLED_ROLE, beyond_the_wall, raise_the_wall
from api.extensions import db
from tests.integration.api_client import person
from tests.integration.conftest import RecordingPublisher, application
from tests.integration.furnishing import Tenant, furnish
from tests.integration.test_api_isolation import NEEDS_REFRESH_TOKEN, calls, is_public, path_of

# Tables that belong to no team. A new table is behind the wall, or here with a reason.
GLOBAL = {
    "throttles": "counts under keyed hashes, which say nothing about anybody",
    "request_keys": "found by hashes of who asked and of their keys; what was answered is sealed",
    "broker_epoch": "of the whole system; behind the wall it cannot be read at all",
    "recovery_totals": "of the whole system; behind the wall it cannot be read at all",
    "event_totals": "of the whole system; behind the wall it cannot be read at all",
    "events_counted": "of the whole system; behind the wall it cannot be read at all",
    "dispatch_failures": "of the whole system; behind the wall it can be added to, and not read",
}
# Who lowers the wall, and for what.
BEYOND = {
    "alertops/services/teams/create_team.py": "nobody is in a team yet that does not exist",
    "api/views/received_invitations.py": "who is invited is not in the team yet",
    "api/views/me.py": "an address may be somebody else's; one that is proved joins teams",
}

WALLED = [table for table in Base.metadata.sorted_tables if table.name not in GLOBAL]
TABLES = pytest.mark.parametrize("table", WALLED, ids=lambda table: table.name)
REFUSED = "row-level security|permission denied"


@pytest.fixture
def ann(session: Session) -> Tenant:
    """In tables without a past, in which rows lie in the order in which they were written."""
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
    session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    session.execute(text("ALTER TABLE audit_log ENABLE TRIGGER USER"))
    return furnish(session, "ann")


@pytest.fixture
def ben(session: Session, ann: Tenant) -> Tenant:
    return furnish(session, "ben")


@pytest.fixture
def walled(sessions: sessionmaker[Session], ann: Tenant, ben: Tenant) -> Iterator[Session]:
    """A session behind Ann's wall; Ben has as many rows in every table."""
    with sessions() as session:
        raise_the_wall(session, Person(ann.user_id))
        yield session


def rows(session: Session, table: Table) -> list[Any]:
    return list(session.execute(select(table)))


@TABLES
def test_without_a_filter_there_are_only_ones_own_rows(
    walled: Session, session: Session, ann: Tenant, table: Table
) -> None:
    # Ann's are the older ones of each pair.
    both = rows(session, table)
    assert len(both) == 2
    assert rows(walled, table) == both[:1]


@TABLES
def test_a_program_sees_the_rows_of_its_team(
    sessions: sessionmaker[Session], session: Session, ann: Tenant, ben: Tenant, table: Table
) -> None:
    own = rows(session, table)[1:]
    if table.name == "login_sessions":
        own = []  # those are people's
    with sessions() as walled:
        raise_the_wall(walled, Program(uuid4(), ben.team_id, frozenset(Scope)))
        assert rows(walled, table) == own


@TABLES
def test_the_role_alone_sees_nothing(sessions: sessionmaker[Session], ben: Tenant, table: Table) -> None:
    with sessions() as session:
        session.execute(text(f"SET LOCAL ROLE {WALLED_ROLE}"))
        assert rows(session, table) == []


@TABLES
def test_an_update_or_delete_without_a_filter_touches_only_ones_own_rows(
    walled: Session, session: Session, table: Table
) -> None:
    theirs = rows(session, table)[1:]
    session.rollback()
    key = next(iter(table.primary_key.columns))
    changes = {"UPDATE": update(table).values({key.name: key}), "DELETE": delete(table)}
    for privilege, change in changes.items():
        savepoint = walled.begin_nested()
        if walled.scalar(select(func.has_table_privilege(table.name, privilege))):
            assert walled.connection().execute(change).rowcount == 1
        else:
            with pytest.raises(ProgrammingError, match="permission denied"):
                walled.execute(change)
        savepoint.rollback()
    assert rows(session, table)[-1:] == theirs


@TABLES
def test_a_row_of_another_team_cannot_be_inserted(walled: Session, session: Session, table: Table) -> None:
    theirs = session.execute(select(table)).mappings().all()[1]
    with pytest.raises(ProgrammingError, match=REFUSED):
        walled.execute(insert(table).values(**theirs))


@pytest.mark.parametrize("table", [t for t in WALLED if "team_id" in t.columns], ids=lambda table: table.name)
def test_a_row_of_ones_own_cannot_be_given_away(walled: Session, ben: Tenant, table: Table) -> None:
    with pytest.raises(ProgrammingError, match=REFUSED):
        walled.execute(update(table).values(team_id=ben.team_id))


def test_colleagues_are_seen_and_neither_changed_nor_deleted(
    session: Session, sessions: sessionmaker[Session], ann: Tenant, ben: Tenant
) -> None:
    session.execute(text("UPDATE memberships SET team_id = :id"), {"id": ann.team_id})
    session.commit()
    with sessions() as walled:
        raise_the_wall(walled, Person(ann.user_id))
        assert walled.scalar(select(func.count()).select_from(User)) == 2
        assert walled.scalars(update(User).values(name="x").returning(User.id)).all() == [ann.user_id]
        assert walled.scalars(delete(User).returning(User.id)).all() == [ann.user_id]
        assert walled.scalars(select(User.id).with_for_update()).all() == []


@pytest.mark.parametrize("table", [t for t in Base.metadata.sorted_tables if t.name in GLOBAL], ids=str)
def test_of_what_is_no_teams_only_limits_are_open(walled: Session, table: Table) -> None:
    if table.name in ("throttles", "request_keys"):
        assert rows(walled, table) == []
        return
    with pytest.raises(ProgrammingError, match="permission denied"):
        rows(walled, table)


def test_every_table_of_the_database_is_walled_or_says_why_not(session: Session) -> None:
    query = (
        "SELECT relname, relrowsecurity FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    secured = {name: on for name, on in session.execute(text(query)) if name != "alembic_version"}
    assert {name for name, on in secured.items() if not on} == GLOBAL.keys()
    assert {name for name, on in secured.items() if on} == {table.name for table in WALLED}


def test_nothing_passes_from_one_transaction_to_the_next_on_a_connection(
    database_url: str, ann: Tenant, ben: Tenant
) -> None:
    engine = create_engine(database_url, pool_size=1, max_overflow=0)
    sessions = sessionmaker(engine)
    settings = text(
        "SELECT current_user, current_setting('alertops.user_id', true),"
        " current_setting('alertops.team_ids', true)"
    )
    with sessions() as of_ann, sessions() as of_ben, sessions() as plain:
        raise_the_wall(of_ann, Person(ann.user_id))
        raise_the_wall(of_ben, Person(ben.user_id))
        for _ in range(3):
            for walled, tenant in ((of_ann, ann), (of_ben, ben)):
                assert walled.scalars(select(Execution.team_id)).all() == [tenant.team_id]
                walled.commit()
                assert plain.scalar(select(func.count()).select_from(Execution)) == 2
                user, *left = plain.execute(settings).one()
                assert (user, {*left} - {None, ""}) == (engine.url.username, set())
                plain.rollback()
    engine.dispose()


def test_a_savepoint_that_is_rolled_back_does_not_lower_it(walled: Session) -> None:
    count = select(func.count()).select_from(Team)
    with walled.begin_nested() as savepoint:
        assert walled.scalar(count) == 1
        savepoint.rollback()
    assert walled.scalar(count) == 1


def test_a_membership_that_was_taken_away_is_gone_with_the_next_transaction(
    walled: Session, session: Session, ann: Tenant
) -> None:
    assert walled.scalars(select(Team.id)).all() == [ann.team_id]
    walled.commit()
    session.execute(text("DELETE FROM memberships WHERE team_id = :id"), {"id": ann.team_id})
    session.commit()
    walled.expire_all()
    assert walled.scalars(select(Team.id)).all() == []


def test_the_wall_can_be_lowered_and_is_up_again_afterwards(walled: Session) -> None:
    count = select(func.count()).select_from(Team)
    with beyond_the_wall(walled):
        assert walled.scalar(count) == 2
        walled.add(Team(name="not committed"))
        walled.flush()
    assert walled.scalar(count) == 1
    with pytest.raises(ProgrammingError), beyond_the_wall(walled):
        walled.execute(text("SELECT nothing_of_this_name"))
    assert walled.scalar(count) == 1


def test_it_is_lowered_where_it_is_said_and_nowhere_else() -> None:
    folders = [Path(str(package.__file__)).parent for package in (alertops, api)]
    found = {
        str(file.relative_to(folder.parent))
        for folder in folders
        for file in folder.rglob("*.py")
        if "beyond_the_wall(" in file.read_text() and file.name != "wall.py"
    }
    assert found == BEYOND.keys()


def test_every_route_but_the_public_ones_is_behind_the_wall(
    database_url: str, publisher: RecordingPublisher
) -> None:
    app = application(database_url, publisher)
    seen: list[str] = []

    @app.after_request
    def note(answer: Any) -> Any:
        seen.append(db.session().execute(text("SELECT current_user")).scalar_one())
        db.session().rollback()
        return answer

    for rule, method in calls(app):
        if is_public(rule) or rule.endpoint == NEEDS_REFRESH_TOKEN:
            continue
        # Somebody else each time: one of these routes logs out, another deletes the account.
        visitor = person(app, f"v{len(seen)}")
        nowhere = {name: 1 if name == "number" else uuid4() for name in rule.arguments}
        visitor.call(method, path_of(app, rule, nowhere), {})
        assert seen[-1] == WALLED_ROLE, f"{method} {rule}"
    assert len(seen) > 20
    with app.app_context():
        db.engine.dispose()
