"""Marks that wake-ups were published, and that the broker has them.

They need no lock: a locked row is skipped, as something is being done about it already. Nor do they wait for
the disk: a mark that is lost costs a wake-up that does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, cast

from sqlalchemy import ARRAY, Table, Update, and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from alertops.db import UNFLUSHED
from alertops.models import Attempt, EventDelivery, Heartbeat, Letter, Step, Timer
from alertops.services.prepared import Prepared


class Kind(Enum):
    """What can be woken: its table, and the columns of its key."""

    STEPS = (Step, "execution_id", "number")
    ATTEMPTS = (Attempt, "execution_id", "step_number", "target_number", "number")
    TIMERS = (Timer, "execution_id", "number")
    LETTERS = (Letter, "id")
    HEARTBEATS = (Heartbeat, "id", "wake_number")
    DELIVERIES = (EventDelivery, "id")

    @property
    def table(self) -> Table:
        return cast(Table, self.value[0].__table__)

    @property
    def key(self) -> tuple[str, ...]:
        return cast(tuple[str, ...], self.value[1:])

    def parameter(self, column: str) -> str:
        """The name of the array of this column's values."""
        return f"{self.name.lower()}_{column}"


Keys = Mapping[Kind, Sequence[tuple[Any, ...]]]
"""The keys of the rows that are to be marked; of each kind there is at least one."""


def mark_dispatched(session: Session, keys: Keys, at: datetime, *, recovering: bool) -> None:
    """Note that wake-ups of these were published from `at` on; the transaction will not wait for the disk."""
    values: dict[str, Any] = {"published_from": at, "recoveries": int(recovering)}
    for kind, rows in keys.items():
        columns = zip(kind.key, zip(*rows, strict=True), strict=True)
        values |= {kind.parameter(column): list(cells) for column, cells in columns}
    _marking(tuple(keys)).run(session, values)


@cache
def _marking(kinds: tuple[Kind, ...]) -> Prepared:
    """All kinds in one statement. It is made once: that takes longer than to run it for one row."""
    marks = [_marking_one(kind).cte(f"marked_{kind.name}") for kind in kinds]
    name = "_".join(["mark", *(kind.name.lower() for kind in kinds)])
    return Prepared(name, select(UNFLUSHED).add_cte(*marks))


def _marking_one(kind: Kind) -> Update:
    """Mark rows by arrays of their keys. One join marks a page; a list of ORs takes long to plan."""
    table, key = kind.table, kind.key
    columns = [table.c[name] for name in key]
    arrays = [bindparam(kind.parameter(column.name), type_=ARRAY(column.type)) for column in columns]
    wanted = func.unnest(*arrays).table_valued(*key).render_derived(f"wanted_{kind.name}")
    free = (
        select(*columns)
        .join(wanted, and_(*(column == wanted.c[column.name] for column in columns)))
        .with_for_update(of=table, key_share=True, skip_locked=True)
        .subquery(f"free_{kind.name}")
    )
    return (
        update(table)
        .where(*(column == free.c[column.name] for column in columns))
        .values(
            dispatched_at=bindparam("published_from"),
            recovery_count=table.c.recovery_count + bindparam("recoveries"),
        )
    )
