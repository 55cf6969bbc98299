"""How many executions a team may open: more than anybody means to, and fewer than would fill the database.

A team beyond its limit is told when to come again (429, `Retry-After`), before anything is written. Only
what opens an execution counts: alerts that join one are let in beside the limit.

Processes count together, and hardly ever ask each other. Each counts what it has opened lately, which leaks
away at the limit's rate; when that comes to `SETTLED` it is added to the team's count in the database, which
tells how the team stands altogether. A quiet team's count never gets that far.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from uuid import UUID

import structlog
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from alertops.db import commit_without_flush
from alertops.models import Throttle

# What a process may have opened without telling the others.
SETTLED = 50
REMEMBERED = 10_000

log = structlog.get_logger(__name__)


@dataclass
class _Team:
    """What this process knows of a team, by its own clock."""

    # Opened and not settled; it leaks away.
    opened: float = 0.0
    as_of: float = 0.0
    # Since the last settlement: until when the team is beyond its limit.
    over_until: float = 0.0


class AlertLimit:
    """`per_minute` executions a team may open, a sixth of them at once; 0 is no limit. Shared by threads."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._at_once = per_minute / 6
        self._clock = clock
        self._lock = threading.Lock()
        self._teams: OrderedDict[UUID, _Team] = OrderedDict()

    def wait(self, team_id: UUID) -> int:
        """Whole seconds until the team may open executions again; 0 when it may."""
        with self._lock:
            team = self._teams.get(team_id)
            return max(0, ceil(team.over_until - self._clock())) if team else 0

    def count(self, session: Session, team_id: UUID, opened: int) -> None:
        """Count what was opened and committed; the session has no transaction open. Never fails a caller."""
        if not self._per_second or not (unsettled := self._add(team_id, opened)):
            return
        try:
            ahead = self._settle(session, team_id, unsettled)
        except SQLAlchemyError as error:
            session.rollback()
            log.warning("alerts_not_counted", team=str(team_id), error=type(error).__name__)
            return
        with self._lock:
            over = ahead - self._at_once / self._per_second
            self._team(team_id).over_until = self._clock() + over

    def _add(self, team_id: UUID, opened: int) -> int:
        """Count it here; returns what is to be settled, if it has come to that."""
        with self._lock:
            team, now = self._team(team_id), self._clock()
            left = max(0.0, team.opened - (now - team.as_of) * self._per_second)
            team.opened, team.as_of = left + opened, now
            if team.opened < SETTLED:
                return 0
            unsettled, team.opened = round(team.opened), 0.0
            return unsettled

    def _team(self, team_id: UUID) -> _Team:
        team = self._teams.setdefault(team_id, _Team())
        self._teams.move_to_end(team_id)
        if len(self._teams) > REMEMBERED:
            self._teams.popitem(last=False)
        return team

    def _settle(self, session: Session, team_id: UUID, opened: int) -> float:
        """Add it to what all processes count; returns for how many seconds that takes to leak away."""
        taken, now = timedelta(seconds=opened / self._per_second), func.clock_timestamp()
        commit_without_flush(session)
        clear_at = session.execute(
            insert(Throttle)
            .values(key=_key(team_id), clear_at=now + taken)
            .on_conflict_do_update(
                index_elements=[Throttle.key],
                set_={"clear_at": func.greatest(Throttle.clear_at, now) + taken},
            )
            .returning(func.extract("epoch", Throttle.clear_at - now))
        ).scalar_one()
        session.commit()
        return float(clear_at)


def _key(team_id: UUID) -> bytes:
    return hashlib.sha256(b"alerts of " + team_id.bytes).digest()
