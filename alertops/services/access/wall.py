"""The second wall: behind it, there are no rows of teams that the actor is not in.

The first is the team's condition in every query (`access.py`). Should one forget it, Postgres' row-level
security answers with nothing instead of another team's data: each transaction of a walled session takes on
the role that migration 0008 made, and says whose rows it is for.

    request ──authenticated──▶ walled ──beyond_the_wall──▶ open ──its end──▶ walled ──▶ session closed

Role and settings end with their transaction: a connection carries nothing to whom it serves next, not even
through PgBouncer in transaction mode. The wall is against our own mistakes: whoever can make the database run
SQL of theirs can lower it as we do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, bindparam, event, text
from sqlalchemy.orm import Session, SessionTransaction

from alertops.services.access.actor import Actor, LinkHolder, Monitor, Person

WALLED_ROLE = "alertops_walled"
_BEHIND = "alertops.behind_the_wall"

_RAISE = """
    SELECT set_config('alertops.team_ids', ({team_ids})::text, true),
        set_config('alertops.user_id', :user_id, true), set_config('role', :role, true)
"""
# The role comes last: before it, all of the person's memberships can be read. No team is an empty array.
_FOR_PERSON = text(
    _RAISE.format(team_ids="ARRAY(SELECT team_id FROM memberships WHERE user_id = CAST(:user_id AS uuid))")
).bindparams(bindparam("role", WALLED_ROLE))
_FOR_ONE_TEAM = text(_RAISE.format(team_ids="ARRAY[CAST(:team_id AS uuid)]")).bindparams(
    bindparam("role", WALLED_ROLE), bindparam("user_id", "")
)


def raise_the_wall(session: Session, actor: Actor | LinkHolder | Monitor) -> None:
    """Put the session behind the actor's wall: the running transaction, and all that it begins later."""
    session.info[_BEHIND] = actor
    if session.in_transaction():
        _raise(session.connection(), actor)


@contextmanager
def beyond_the_wall(session: Session) -> Iterator[None]:
    """Without the wall, for what is about a team that the actor is not in, or not yet.

    The running transaction is committed first, so nothing may be half done in it. What is not committed at
    the end is undone.
    """
    session.commit()
    actor = session.info.pop(_BEHIND, None)
    try:
        yield
    finally:
        if session.in_transaction():
            session.rollback()
        if actor is not None:
            session.info[_BEHIND] = actor


@event.listens_for(Session, "after_begin")
def _begin_behind(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    actor = session.info.get(_BEHIND)
    if actor is not None:
        _raise(connection, actor)


def _raise(connection: Connection, actor: Actor | LinkHolder | Monitor) -> None:
    if isinstance(actor, Person):
        connection.execute(_FOR_PERSON, _named(user_id=actor.id))
    else:
        connection.execute(_FOR_ONE_TEAM, _named(team_id=actor.team_id))


def _named(**ids: Any) -> dict[str, str]:
    return {name: str(id_) for name, id_ in ids.items()}
