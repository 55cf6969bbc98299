"""Alerts that come to one process at the same moment, each in a request of its own, start as one batch.

A transaction, a flush to disk and a wait for the broker cost the same for one alert as for fifty. Whoever
comes while nobody is at it begins at once; whoever comes meanwhile is taken along by the next. So an alert
that comes alone waits for nothing, and the more come, the less each costs: a group commit, as databases have.

    comes ──nobody leads──▶ leads: opens all that wait, commits ──▶ dispatches ──▶ answers
      │                                  │ committed: the first that came meanwhile leads next
      └──somebody leads──▶ waits ────────┘ or is answered with them

Only alerts of one team are taken together: the batch is behind that team's wall. When one of them cannot be
started, each is started alone, so that nobody is refused for another's sake.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

import structlog
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from alertops.errors import AlertOpsError
from alertops.services.alert_limit import AlertLimit
from alertops.services.alerts import MAX_AT_ONCE, StartRequest
from alertops.services.dispatch import Dispatcher
from alertops.services.start_executions import (
    Started,
    dispatch_opened,
    open_executions,
    start_executions,
)

# The batch was refused for what one of its alerts says. Nothing was committed; the others may be good.
_REFUSED = (AlertOpsError, DataError, IntegrityError)


class _Turn(Enum):
    WAIT = auto()
    LEAD = auto()
    ALONE = auto()
    DONE = auto()


log = structlog.get_logger(__name__)


@dataclass
class _Caller:
    """Somebody with an alert, who is told what to do or what came of it."""

    request: StartRequest
    turn: _Turn = _Turn.WAIT
    started: Started | None = None
    error: BaseException | None = None
    _told: threading.Event = field(default_factory=threading.Event)

    def tell(self, turn: _Turn) -> None:
        self.turn = turn
        self._told.set()

    def wait(self) -> _Turn:
        """A leader always tells: what it waits for itself, database and broker, is bounded."""
        self._told.wait()
        self._told.clear()
        return self.turn


class StartGatherer:
    """Starts alerts of concurrent requests together; shared by the threads of a process."""

    def __init__(self, limit: AlertLimit | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        # Who waits, by team. A team is in here while somebody leads for it.
        self._waiting: dict[UUID, deque[_Caller]] = {}

    def start(
        self, session: Session, dispatcher: Dispatcher, team_id: UUID, request: StartRequest
    ) -> Started:
        """Start an alert in a flow of this team, as `start_executions` does.

        What the session has open is ended: nobody holds a transaction while they wait for a leader.
        """
        session.rollback()
        caller = _Caller(request)
        if self._comes(team_id, caller):
            caller.turn = _Turn.LEAD
        else:
            caller.wait()
        if caller.turn is _Turn.LEAD:
            self._lead(session, dispatcher, team_id, caller)
        if caller.turn is _Turn.ALONE:
            (alone,) = start_executions(
                session, dispatcher, [request], None, team_id=team_id, limit=self._limit
            )
            return alone
        if caller.error is not None:
            raise caller.error
        assert caller.started is not None  # noqa: S101  done without an error
        return caller.started

    def _comes(self, team_id: UUID, caller: _Caller) -> bool:
        """Whether nobody leads, so that the caller does."""
        with self._lock:
            waiting = self._waiting.get(team_id)
            if waiting is None:
                self._waiting[team_id] = deque()
                return True
            waiting.append(caller)
            return False

    def _lead(self, session: Session, dispatcher: Dispatcher, team_id: UUID, caller: _Caller) -> None:
        """Open all that wait. The others are answered at the commit; the leader sends the wake-ups."""
        batch = [caller, *self._take(team_id)]
        try:
            requests = [one.request for one in batch]
            begun = open_executions(session, requests, team_id=team_id, limit=self._limit)
        except _REFUSED as error:
            session.rollback()
            if len(batch) == 1:
                raise
            log.info("batch_of_strangers_refused", alerts=len(batch), error=str(error))
            self._tell(batch, _Turn.ALONE)
            return
        except BaseException as error:
            for one in batch:
                one.error = error
            self._tell(batch, _Turn.DONE)
            raise
        finally:
            self._pass_on(team_id)
        for one, started in zip(batch, begun.started, strict=True):
            one.started = started
        # They are read by threads that this session is none of the business of.
        for execution in {started.execution.id: started.execution for started in begun.started}.values():
            session.expunge(execution)
        self._tell(batch, _Turn.DONE)
        dispatch_opened(session, dispatcher, begun, self._limit)

    def _take(self, team_id: UUID) -> list[_Caller]:
        """Those who came meanwhile, at most as many as fit in a batch."""
        with self._lock:
            waiting = self._waiting[team_id]
            return [waiting.popleft() for _ in range(min(len(waiting), MAX_AT_ONCE - 1))]

    def _pass_on(self, team_id: UUID) -> None:
        """Let the first who waits lead next."""
        with self._lock:
            waiting = self._waiting[team_id]
            if not waiting:
                del self._waiting[team_id]
                return
            following = waiting.popleft()
        following.tell(_Turn.LEAD)

    @staticmethod
    def _tell(batch: Sequence[_Caller], turn: _Turn) -> None:
        for one in batch:
            one.tell(turn)
