"""A request that is sent again, because its answer was lost, does nothing again.

The client gives it a key. The key's row is written by the very transaction that does what the request asks
for, the first of the session that has changed anything: it is there if, and only if, that was done.

    no row ──▶ do it, and write the row ──▶ COMMIT ──▶ keep the answer
    a row, another request ───────────────▶ `KeyReusedError`
    a row, and its answer ────────────────▶ the answer again
    a row, and no answer (yet, or ever) ──▶ `UnansweredError`

Two that come at once both begin; the second waits for the first at the key's row, and finds it taken. What is
refused, or fails, writes nothing, and can be sent again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.event import listens_for
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.errors import AlertOpsError
from alertops.models import RequestKey

KEPT_FOR = timedelta(days=1)
# Each request takes away more rows that are over than it adds.
_SWEPT = 10

_ONCE = "alertops.once"


class KeyTakenError(AlertOpsError):
    """Somebody was faster under the same key; what was begun here was undone."""


class KeyReusedError(AlertOpsError):
    """The key was used for another request."""


class UnansweredError(AlertOpsError):
    """What was asked for under this key was done; its answer is not there, or not any more."""


@dataclass
class Once:
    """A request under a key: its row's id, a hash of what it asks for, and whether that was done."""

    id: bytes
    fingerprint: bytes
    written: bool = False
    done: bool = False


def once_of(actor_id: UUID, key: str, request: bytes) -> Once:
    """The request of this actor under this key; `request` is all that it says."""
    who = hashlib.sha256(actor_id.bytes + key.encode()).digest()
    return Once(who, hashlib.sha256(request).digest())


def find_answer(session: Session, once: Once) -> str | None:
    """The sealed answer that was given before; None when nothing was done under this key."""
    found = session.execute(
        select(RequestKey.fingerprint, RequestKey.sealed).where(
            RequestKey.id == once.id, RequestKey.created_at > func.now() - KEPT_FOR
        )
    ).one_or_none()
    session.rollback()
    if found is None:
        return None
    if found.fingerprint != once.fingerprint:
        raise KeyReusedError("The key was used for another request: each has one of its own.")
    if found.sealed is None:
        raise UnansweredError(
            "What was asked for with this key is being done, or was done and the answer is lost: look, before"
            " you ask with another key."
        )
    return str(found.sealed)


def do_once(session: Session, once: Once) -> None:
    """From now on the session's first transaction that changes anything writes the key's row."""
    session.info[_ONCE] = once


def keep_answer(session: Session, once: Once, sealed: str) -> None:
    """Keep the answer for whoever asks again, and commit. Losing it in a crash is said, so nobody waits."""
    session.info.pop(_ONCE, None)
    session.rollback()
    commit_without_flush(session)
    session.execute(
        update(RequestKey).where(RequestKey.id == once.id).values(sealed=sealed),
        execution_options={"synchronize_session": False},
    )
    session.commit()


@listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    once: Once | None = session.info.get(_ONCE)
    if once is None or once.done or session.in_nested_transaction() or not session.in_transaction():
        return
    session.flush()
    if session.scalar(text("SELECT pg_current_xact_id_if_assigned() IS NULL")):
        return  # nothing was changed, and nothing locked
    _sweep(session, once)
    taken = insert(RequestKey).values(id=once.id, fingerprint=once.fingerprint)
    written = session.scalar(taken.on_conflict_do_nothing().returning(RequestKey.id))
    if written is None:
        raise KeyTakenError("This was done under the same key at the same moment.")
    once.written = True


@listens_for(Session, "after_commit")
def _done(session: Session) -> None:
    once: Once | None = session.info.get(_ONCE)
    if once is not None and not session.in_nested_transaction():
        once.done = once.done or once.written


@listens_for(Session, "after_rollback")
def _undone(session: Session) -> None:
    once: Once | None = session.info.get(_ONCE)
    if once is not None:
        once.written = once.done


def _sweep(session: Session, once: Once) -> None:
    """Delete some rows that are over, among them this key's, but for those that somebody is just deleting."""
    over = RequestKey.created_at <= func.now() - KEPT_FOR
    doomed = (
        select(RequestKey.id)
        .where(over)
        .order_by(RequestKey.id != once.id, RequestKey.created_at)
        .limit(_SWEPT)
        .with_for_update(skip_locked=True)
    )
    session.execute(
        delete(RequestKey).where(RequestKey.id.in_(doomed.scalar_subquery())),
        execution_options={"synchronize_session": False},
    )
