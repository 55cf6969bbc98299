"""Every stored secret is sealed with the newest key, so that older keys can be taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Table, func, select, update
from sqlalchemy.orm import Session

from alertops.errors import SecretsError
from alertops.models import Destination, Integration, WebhookSecret
from alertops.secret_box import SecretBox

PAGE = 100

# Every table with secrets: each has `id` and `sealed`, which may be null.
SEALED = tuple(cast(Table, model.__table__) for model in (WebhookSecret, Integration, Destination))


@dataclass(frozen=True)
class Stuck:
    """A secret that cannot be opened with the keys that there are, and why."""

    table: str
    id: UUID
    why: str


@dataclass
class Progress:
    """How many are sealed with another key than the newest at the beginning, and how far it has come."""

    total: int = 0
    done: int = 0
    stuck: tuple[Stuck, ...] = ()


def rotate_secrets(session: Session, box: SecretBox) -> Iterator[Progress]:
    """Seal anew what is not sealed with the newest key; tells how far it is after each page.

    Each page is committed. So it can be cut off at any time, and run again: it goes on with what is left. It
    can run beside a fleet at work, whose processes must all have the newest key by then.
    """
    progress = Progress(sum(_left(session, table, box) for table in SEALED))
    yield progress
    for table in SEALED:
        after: UUID | None = None
        while page := _page(session, table, box, after):
            for id_, sealed in page:
                try:
                    progress.done += _reseal(session, table, id_, sealed, box.reseal(sealed))
                except SecretsError as error:
                    progress.stuck += (Stuck(table.name, id_, str(error)),)
            session.commit()
            after = page[-1][0]
            yield progress


def _reseal(session: Session, table: Table, id_: UUID, sealed: str, anew: str) -> int:
    """How many were changed: what somebody has replaced or deleted since it was read is left as it is."""
    changed: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE gives a cursor's result
        update(table).where(table.c.id == id_, table.c.sealed == sealed).values(sealed=anew)
    )
    return changed.rowcount


def _page(session: Session, table: Table, box: SecretBox, after: UUID | None) -> list[tuple[UUID, str]]:
    query = select(table.c.id, table.c.sealed).where(_not_newest(table, box)).order_by(table.c.id).limit(PAGE)
    if after is not None:
        query = query.where(table.c.id > after)
    return [(id_, sealed) for id_, sealed in session.execute(query)]


def _left(session: Session, table: Table, box: SecretBox) -> int:
    return session.execute(
        select(func.count()).select_from(table).where(_not_newest(table, box))
    ).scalar_one()


def _not_newest(table: Table, box: SecretBox) -> Any:
    return ~table.c.sealed.startswith(f"{box.newest}.")
