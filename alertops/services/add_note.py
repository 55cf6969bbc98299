"""Notes: what people write beside an execution, for whoever reads its timeline."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.errors import ConflictError, NotFoundError
from alertops.models import TimelineEntry
from alertops.services.lock import lock_execution

MAX_NOTES = 1000


def add_note(session: Session, execution_id: UUID, text: str, actor_id: UUID) -> TimelineEntry:
    """Write the note and commit. Safe to repeat: the same words of the same person are one note.

    An execution can be written about in any state, also long after it was over. Raises `ConflictError` when
    it has as many notes as are kept.
    """
    if lock_execution(session, execution_id) is None:
        raise NotFoundError("there is no such execution")
    notes = session.scalars(
        select(TimelineEntry).where(TimelineEntry.execution_id == execution_id, TimelineEntry.event == "note")
    ).all()
    same = [note for note in notes if note.actor_id == actor_id and note.detail == {"text": text}]
    if not same and len(notes) >= MAX_NOTES:
        session.rollback()
        raise ConflictError(f"the execution has {MAX_NOTES} notes, which is as many as are kept")
    note = same[0] if same else _write(session, execution_id, text, actor_id)
    session.commit()
    return note


def _write(session: Session, execution_id: UUID, text: str, actor_id: UUID) -> TimelineEntry:
    note = TimelineEntry(execution_id=execution_id, event="note", actor_id=actor_id, detail={"text": text})
    session.add(note)
    return note
