"""The team's row lock: whoever changes who or what a team consists of takes it first.

    FOR NO KEY UPDATE   members, roles, keys, the name, deletion: one change of a team at a time
    FOR SHARE           what is added to a team in rows of its own: passes others of its kind, and waits
                        for a deletion, or the deletion for it

The lock order is: the team's row, flows, executions. Neither lock keeps an alert out: what an alert inserts
takes `FOR KEY SHARE` of the team, which passes by both. Deletion waits for alerts at the flow's row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.errors import NotFoundError
from alertops.models import Team
from alertops.services.access.actor import Asking
from alertops.services.access.door import find_team


@contextmanager
def locked_team(session: Session, asking: Asking, team_id: UUID) -> Iterator[Team]:
    """The team, locked, for somebody who may do what they ask for; committed at the end.

    The door is asked twice: before the lock, so that strangers hold nobody up, and under it, so that a role
    that was taken away while this waited is gone. Whatever goes wrong rolls back.
    """
    find_team(session, asking, team_id)
    try:
        session.scalars(
            select(Team)
            .where(Team.id == team_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        ).one_or_none()
        yield find_team(session, asking, team_id)
    except BaseException:
        session.rollback()  # lets the lock go
        raise
    session.commit()


def keep_team(session: Session, team_id: UUID) -> None:
    """Keep the team from being deleted until the transaction ends; `NotFoundError` when it has been."""
    deleted_at = session.execute(
        select(Team.deleted_at).where(Team.id == team_id).with_for_update(read=True)
    ).one_or_none()
    if deleted_at is None or deleted_at[0] is not None:
        session.rollback()
        raise NotFoundError("There is no such team, or none that you may see.")
