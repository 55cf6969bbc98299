"""The second wall on a server where the database's user is no superuser, as on most servers of others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, func, make_url, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from alertops.cli import main
from alertops.models import Execution
from alertops.schema import is_current, migrate
from alertops.services.access.actor import Person
from alertops.services.access.wall import WALLED_ROLE, raise_the_wall
from deploy.local.databases import create_database, drop_database
from deploy.local.stack import PrivateStack
from tests.integration.furnishing import furnish

_numbers = count()
PASSWORD = "of a role that lives for one test"


class Server:
    """Makes roles and a database for one test, and takes them away."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.suffix = f"{os.getpid()}_{next(_numbers)}"
        self.admin = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self.roles: list[str] = []
        self.database = create_database(url, f"alertops_roles_{self.suffix}")

    def do(self, statement: str, *, here: bool = False) -> None:
        engine = create_engine(self.database, poolclass=NullPool) if here else self.admin
        with engine.connect() as connection:
            connection.execute(text(statement))
            connection.commit()

    def role(self, name: str) -> str:
        role = f"{name}_{self.suffix}"
        self.do(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        self.roles.append(role)
        return role

    def as_role(self, role: str) -> Engine:
        url = make_url(self.database).set(username=role, password=PASSWORD)
        return create_engine(url, poolclass=NullPool)

    def close(self) -> None:
        drop_database(self.url, f"alertops_roles_{self.suffix}")
        for role in self.roles:
            self.do(f"DROP ROLE {role}")


@pytest.fixture
def server(stack: PrivateStack, migrated_database: str) -> Iterator[Server]:
    server = Server(stack.addresses.database_url)
    yield server
    server.close()


@pytest.fixture
def owner(server: Server) -> str:
    """The owner of the database, who may do nothing on the server besides."""
    owner = server.role("owner")
    server.do(f"ALTER DATABASE alertops_roles_{server.suffix} OWNER TO {owner}")
    return owner


def test_who_may_not_take_on_the_role_is_told_what_an_administrator_runs(server: Server, owner: str) -> None:
    with server.as_role(owner).connect() as connection:
        with pytest.raises(ProgrammingError, match=f"GRANT {WALLED_ROLE} TO {owner};"):
            migrate(connection)
        assert not is_current(connection)
    server.do(f"GRANT {WALLED_ROLE} TO {owner}")
    with server.as_role(owner).connect() as connection:
        migrate(connection)
        assert is_current(connection)


def executions(session: Session) -> int:
    return session.execute(select(func.count()).select_from(Execution)).scalar_one()


@pytest.mark.parametrize("owns", [True, False], ids=["the owner", "not the owner"])
def test_the_wall_stands_for_any_user_of_the_database_and_hides_nothing_from_workers(
    server: Server, owner: str, owns: bool
) -> None:
    server.do(f"GRANT {WALLED_ROLE} TO {owner}")
    with server.as_role(owner).connect() as connection:
        migrate(connection)
    user = owner if owns else server.role("app")
    if not owns:
        server.do(f"GRANT {WALLED_ROLE} TO {user}")
        server.do(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}", here=True)
    with sessionmaker(server.as_role(user))() as plain:
        ann, _ = furnish(plain, "ann"), furnish(plain, "ben")
        assert executions(plain) == 2
    with sessionmaker(server.as_role(user))() as walled:
        raise_the_wall(walled, Person(ann.user_id))
        assert executions(walled) == 1
        # A check of a foreign key, and a cascade, are the owner's.
        assert furnish_alert(walled, ann.flow_id) == 2
    with sessionmaker(server.as_role(user))() as plain:
        assert executions(plain) == 3


def test_prune_sees_all_teams_as_any_user_who_may_delete(server: Server, owner: str) -> None:
    server.do(f"GRANT {WALLED_ROLE} TO {owner}")
    with server.as_role(owner).connect() as connection:
        migrate(connection)
    worker, reader = server.role("worker"), server.role("reader")
    server.do(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {worker}", here=True)
    server.do(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}", here=True)
    with sessionmaker(server.as_role(worker))() as session:
        for name in ("ann", "ben"):
            furnish(session, name)
        for waiting in ("attempts", "steps", "timers", "event_deliveries"):
            session.execute(text(f"DELETE FROM {waiting}"))
        session.execute(
            text("UPDATE executions SET status = 'resolved', ended_at = now() - interval '2 days'")
        )
        session.commit()

        def prune(role: str) -> Result:
            url = server.as_role(role).url.render_as_string(hide_password=False)
            return CliRunner().invoke(main, ["prune", "--older-than", "1d", "--database-url", url])

        refused = prune(reader)
        assert refused.exit_code == 1
        assert "permission denied for table executions" in refused.output
        assert executions(session) == 2
        session.rollback()
        assert "executions: 2 deleted" in prune(worker).output
        assert executions(session) == 0


def furnish_alert(session: Session, flow_id: object) -> int:
    session.execute(
        text(
            "INSERT INTO executions"
            " (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)"
            " SELECT team_id, id, 1, 'running', 'x', 'info', '{}', now() FROM flows WHERE id = :id"
        ),
        {"id": flow_id},
    )
    session.commit()
    return executions(session)
