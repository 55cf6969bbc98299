"""Reading a team's audit log: by pages, or all of it, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from alertops.models import AuditEntry
from alertops.services.pages import Page

# So many entries are in memory at a time when all are exported.
EXPORT_PAGE = 500


def audit_log_of(
    session: Session,
    team_id: UUID,
    *,
    limit: int,
    after: int | None = None,
    action: str | None = None,
    actor_id: UUID | None = None,
    since: datetime | None = None,
) -> Page[AuditEntry, int]:
    """The team's entries, newest first: all, or those of this action, by this actor, since then."""
    query = _entries(team_id, since=since)
    if after is not None:
        query = query.where(AuditEntry.id < after)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if actor_id is not None:
        query = query.where(AuditEntry.actor_id == actor_id)
    rows = list(session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit + 1)))
    items = rows[:limit]
    return Page(items, items[-1].id if len(rows) > limit else None)


def export_audit_log(
    session: Session, team_id: UUID, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[AuditEntry]:
    """The team's entries that are there now, oldest first: from `since` on, and before `until`.

    Each page is a transaction of its own, so that a reader who is slow holds no connection.
    """
    query = _entries(team_id, since=since, until=until)
    last = session.scalar(select(func.max(AuditEntry.id)).where(AuditEntry.team_id == team_id)) or 0
    after = 0
    while after < last:
        page = query.where(AuditEntry.id > after, AuditEntry.id <= last).order_by(AuditEntry.id)
        entries = list(session.scalars(page.limit(EXPORT_PAGE)))
        # What the session forgets first, the end of the transaction does not expire, to be read again later.
        session.expunge_all()
        session.rollback()
        yield from entries
        after = entries[-1].id if len(entries) == EXPORT_PAGE else last


def _entries(
    team_id: UUID, *, since: datetime | None = None, until: datetime | None = None
) -> Select[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.team_id == team_id)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    return query
