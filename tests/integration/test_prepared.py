"""A prepared statement is planned once by a connection, by an index, and does what the whole one does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Integer, Select, String, bindparam, column, event, select, table, text
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from alertops.services.prepared import Prepared
from tests.pooler import Pooler

_THINGS = table("things", column("id", Integer), column("kind", String))


def _thing(kind: str) -> Select[tuple[int]]:
    return select(_THINGS.c.id).where(_THINGS.c.id == bindparam("wanted"), _THINGS.c.kind == kind)


FIND = Prepared("test_find", _thing("lamp"))
HALVE = Prepared("test_halve", select((12 / bindparam("divisor", type_=Integer)).label("part")))


@pytest.fixture
def things(session: Session) -> Iterator[Session]:
    """A table with three rows, of which the planner knows, and an index of those of one kind."""
    session.execute(text("CREATE TEMP TABLE things (id int, kind text)"))
    session.execute(text("CREATE INDEX ON things (id) WHERE kind = 'lamp'"))
    _add(session, 3)
    session.execute(text("ANALYZE things"))
    yield session
    session.rollback()


def _add(session: Session, count: int) -> None:
    session.execute(text(f"INSERT INTO things SELECT n, 'lamp' FROM generate_series(1, {count}) n"))


def _how(session: Session) -> str:
    """The way in which the next one will be found."""
    return "\n".join(session.scalars(text("EXPLAIN EXECUTE test_find(2)")))


@contextmanager
def sent(sessions: sessionmaker[Session]) -> Iterator[list[str]]:
    """What is done meanwhile, by its first word."""
    words: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        words.append(statement.split(maxsplit=1)[0])

    event.listen(sessions.kw["bind"], "before_cursor_execute", note)
    try:
        yield words
    finally:
        event.remove(sessions.kw["bind"], "before_cursor_execute", note)


def test_a_connection_prepares_a_statement_once(database_url: str) -> None:
    sessions = session_factory(database_url)
    with sent(sessions) as words, sessions() as session:
        for divisor, part in ((2, 6), (3, 4)):
            assert HALVE.run(session, {"divisor": divisor}).one().part == part
            session.rollback()
        # Its transaction failed after it was prepared, and undoes nothing of that.
        with pytest.raises(DataError):
            HALVE.run(session, {"divisor": 0})
        session.rollback()
        assert HALVE.run(session, {"divisor": 4}).one().part == 3
        session.invalidate()
        assert HALVE.run(session, {"divisor": 6}).one().part == 2
    sessions.kw["bind"].dispose()
    assert words == ["PREPARE", *["EXECUTE"] * 4, "PREPARE", "EXECUTE"]


def test_behind_a_pooler_it_is_sent_whole(database_url: str) -> None:
    with Pooler(database_url, pool_size=1) as pooler:
        sessions = session_factory(pooler.url)
        with sent(sessions) as words, sessions() as session:
            assert HALVE.run(session, {"divisor": 2}).one().part == 6
        sessions.kw["bind"].dispose()
    assert "SELECT" in words
    assert not {"PREPARE", "EXECUTE"} & set(words)


def test_the_plan_is_still_good_when_the_table_has_grown_a_thousandfold(things: Session) -> None:
    assert FIND.run(things, {"wanted": 2}).all() == [(2,)]
    _add(things, 3_000)
    assert "Index" in _how(things)


def test_without_that_the_plan_of_a_small_table_stays(things: Session) -> None:
    """The control: what `PLANS` in `alertops/db.py` is for."""
    things.execute(text("SET LOCAL enable_seqscan = on"))
    assert FIND.run(things, {"wanted": 2}).all() == [(2,)]
    _add(things, 3_000)
    assert "Seq Scan" in _how(things)
