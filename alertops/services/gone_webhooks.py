"""Webhooks that are gone: who answers 410 is not told any more, until somebody says that they are to be.

    410 ──▶ gone ──── the flow, or the member's contact methods, are saved again with the URL
              │  └─── or somebody clears it
              ▼
            told as before; one more 410, and it is gone again

What is gone is left out when a step fires (`services/recipients.py`), as an address is that has stopped
alerts: the timeline says so, previews and warnings do, and a step that has nobody else to tell does not wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from alertops.channels.webhook_url import shown_url
from alertops.errors import NotFoundError
from alertops.escalation.recipients import all_singles
from alertops.models import GoneWebhook, Membership
from alertops.services.access.actor import Asking
from alertops.services.access.audit import audit
from alertops.services.access.door import find_team

# As many of a team's are looked at, the newest; who has more has long lost sight of them.
MAX_GONE = 1000


def remember_gone(session: Session, team_id: UUID, url: str, said: str) -> str:
    """The machine there says that it is gone. Returns the URL as it may be shown. Does not commit."""
    shown = shown_url(url)
    row = {"team_id": team_id, "url_hash": _hash(url), "shown_url": shown, "said": said}
    session.execute(insert(GoneWebhook).values(row).on_conflict_do_nothing())
    return shown


def gone_urls(session: Session, team_id: UUID) -> GoneUrls:
    """Those of the team, in one statement."""
    newest = select(GoneWebhook.url_hash).where(GoneWebhook.team_id == team_id)
    return GoneUrls(session.scalars(newest.order_by(GoneWebhook.created_at.desc()).limit(MAX_GONE)))


class GoneUrls:
    """Knows a URL that is gone when it sees one."""

    def __init__(self, hashes: Iterable[bytes]) -> None:
        self._hashes = frozenset(hashes)

    def __contains__(self, url: str) -> bool:
        return bool(self._hashes) and _hash(url) in self._hashes


def forget_gone_of_flow(session: Session, team_id: UUID, recipients: Iterable[Any]) -> None:
    """Somebody has saved a flow with these recipients: its webhooks are told again. Does not commit."""
    urls = [single["url"] for single in all_singles(recipients) if single["type"] == "webhook"]
    if urls:
        session.execute(delete(GoneWebhook).where(GoneWebhook.team_id == team_id, _among(urls)))


def forget_gone_of_user(session: Session, user_id: UUID, urls: Iterable[str]) -> None:
    """A member has saved contact methods with these URLs: all of the member's teams tell them again."""
    urls = list(urls)
    if urls:
        own = select(Membership.team_id).where(Membership.user_id == user_id)
        session.execute(delete(GoneWebhook).where(GoneWebhook.team_id.in_(own), _among(urls)))


def clear_gone_webhook(session: Session, asking: Asking, team_id: UUID, gone_id: UUID) -> None:
    """Somebody says that it is back; committed."""
    find_team(session, asking, team_id)
    cleared = session.scalar(
        delete(GoneWebhook)
        .where(GoneWebhook.id == gone_id, GoneWebhook.team_id == team_id)
        .returning(GoneWebhook.shown_url)
    )
    if cleared is None:
        session.rollback()
        raise NotFoundError("There is no such webhook among those of this team that are gone.")
    audit(session, team_id, asking.actor, "gone_webhook.cleared", gone_id, before={"url": cleared})
    session.commit()


def _among(urls: Iterable[str]) -> Any:
    return GoneWebhook.url_hash.in_([_hash(url) for url in urls])


def _hash(url: str) -> bytes:
    return hashlib.sha256(url.encode()).digest()
