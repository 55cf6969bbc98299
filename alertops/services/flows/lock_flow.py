"""The flow's row lock, and whether a change was made for the version that is there.

The lock order is: the flow's row, if it is locked at all, before the row of an execution, and the team's
(services/teams/locked_team.py) before both. Four take it:

    an edit      FOR NO KEY UPDATE   one edit at a time: the second sees what the first has committed
    a start      FOR KEY SHARE       passes by edits, which must not hold up an alert: it freezes one
                                     revision or the other, and a revision is never changed
    archiving    FOR UPDATE          waits for the starts under way, and they for it: what has not
                                     committed when it has is refused
    deleting a team  the same, all flows of the team in the order of their ids

As with executions, the lock is taken in a statement of its own, and the rest is read after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from alertops.errors import NotFoundError, StaleError
from alertops.models import Flow
from alertops.services.access.actor import Actor


@dataclass(frozen=True)
class Editor:
    """Who changes a flow, and which version they have seen: one of these, or None for whichever it has."""

    actor: Actor
    seen: frozenset[str] | None


def version_of(flow: Flow) -> str:
    """What names the flow as it is now: another version, another flow to see."""
    return f"{flow.revision_number}-archived" if flow.archived_at else str(flow.revision_number)


def lock_flow(session: Session, flow: Flow, *, against_starts: bool = False) -> None:
    """Lock the row until the transaction ends, and read it and its nodes as they are now."""
    found = session.scalars(
        select(Flow)
        .where(Flow.id == flow.id)
        .with_for_update(key_share=not against_starts)
        .options(selectinload(Flow.nodes))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFoundError("There is no such flow, or none that you may see.")


def require_version(flow: Flow, editor: Editor) -> None:
    """Refuse what was meant for another version of the flow, which must be locked."""
    current = version_of(flow)
    if editor.seen is not None and current not in editor.seen:
        raise StaleError("The flow was changed since you read it: look at it again, then change it.", current)
