"""A program shows its key, and acts for the team that the key is of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, bindparam, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.errors import AuthenticationError
from alertops.models import ApiKey, Team
from alertops.models.api_key import Scope
from alertops.services.access.actor import Program
from alertops.services.access.api_key_text import ApiKeyText
from alertops.services.accounts.open_session import Client
from alertops.services.prepared import Prepared
from alertops.services.teams.make_api_key import live

_NOTED_EVERY = timedelta(minutes=1)

log = structlog.get_logger(__name__)


def authenticate_key(session: Session, text: str, client: Client) -> Program:
    """The program whose key this is; `AuthenticationError` when it is none, or none any more.

    What is no key, an unknown one, a revoked and an expired one are the same error.
    """
    key = ApiKeyText.parse(text)
    found = _find(session, key) if key else None
    if not found:
        raise AuthenticationError("The key is not valid here.")
    key_id, team_id, scopes, to_note = tuple(found)
    if to_note:
        _note_use(session, key_id)
    return Program(key_id, team_id, frozenset(map(Scope, scopes)), client)


_FIND = Prepared(
    "find_api_key",
    select(
        ApiKey.id,
        ApiKey.team_id,
        ApiKey.scopes,
        or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.clock_timestamp() - _NOTED_EVERY),
    )
    .join(Team, Team.id == ApiKey.team_id)
    .where(ApiKey.hash == bindparam("shown"), live(), Team.deleted_at.is_(None)),
)


def _find(session: Session, key: ApiKeyText) -> Row[Any] | None:
    """The key's row. One statement needs no transaction, and whoever waits later holds none."""
    session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    found = _FIND.run(session, {"shown": key.hash}).one_or_none()
    session.rollback()
    return found


def _note_use(session: Session, key_id: UUID) -> None:
    """Note when the key was used last: not more often than that, and never at a request's expense.

    Whoever has the row at this moment, to revoke the key or to note the same, is not waited for.
    """
    free = select(ApiKey.id).where(ApiKey.id == key_id).with_for_update(key_share=True, skip_locked=True)
    try:
        commit_without_flush(session)
        session.execute(
            update(ApiKey)
            .where(ApiKey.id.in_(free.scalar_subquery()))
            .values(last_used_at=func.clock_timestamp()),
            execution_options={"synchronize_session": False},
        )
        session.commit()
    except SQLAlchemyError as error:
        session.rollback()
        log.warning("key_use_not_noted", key=str(key_id), error=type(error).__name__)
