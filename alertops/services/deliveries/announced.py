"""What a transaction has put into the outbox, as the database tells it, to be dispatched after the commit.

The trigger of the timeline says the ids of the deliveries that it wrote in a message of the level INFO, which
comes with the answer to the statement: no question is asked for it, and a team without subscriptions gets no
message. It is kept here until the transaction ends::

    statement ─▶ INFO ─▶ `_Notices` of the connection ──commit──▶ the session's ──taken──▶ `Dispatcher`
                                  └──rollback: forgotten, as the rows are

A message that is lost costs time, as any wake-up: the rows wait for recovery.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.event import listens_for
from sqlalchemy.orm import Session, SessionTransaction

# As the trigger says it (migration 0021).
_WORD = "alertops.event_deliveries "
_NOTICES = "alertops.notices"
_ANNOUNCED = "alertops.announced"


class _Notices:
    """Instead of psycopg2's list, which keeps the last fifty messages, and which SQLAlchemy empties."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []

    def append(self, notice: str) -> None:
        _, said, ids = notice.partition(_WORD)
        if said:
            self.ids += map(UUID, ids.split())


def is_announced(session: Session) -> bool:
    """Whether there are any that nobody has taken yet."""
    return _ANNOUNCED in session.info


def take_announced(session: Session) -> list[UUID]:
    """The deliveries that were committed in this session and nobody has taken yet."""
    taken: list[UUID] = session.info.pop(_ANNOUNCED, [])
    return taken


@listens_for(Session, "after_begin")
def _listen(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if transaction.nested:
        return
    driver: Any = connection.connection.dbapi_connection
    if not isinstance(driver.notices, _Notices):
        driver.notices = _Notices()
    driver.notices.ids.clear()
    session.info[_NOTICES] = driver.notices


@listens_for(Session, "after_commit")
def _keep(session: Session) -> None:
    notices: _Notices | None = session.info.get(_NOTICES)
    if notices is not None and notices.ids and not session.in_nested_transaction():
        session.info.setdefault(_ANNOUNCED, []).extend(notices.ids)
        notices.ids.clear()
