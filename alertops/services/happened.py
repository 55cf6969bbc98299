"""What has happened since the first day, read from where it is added up: a few hundred rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from alertops.escalation.states import AttemptStatus
from alertops.models import DispatchFailure, EventsCounted, EventTotal
from alertops.services.count_events import BOUNDS, ENDED, FIRED, REPEATED
from alertops.services.dispatch_failures import DispatchFault

CHANNELS = ("email", "webhook", "apprise")
# How an execution gets from state to state, in the timeline's words.
CHANGES = ("started", "acknowledged", "snoozed", "resumed", "exhausted", "resolved", "cancelled")


@dataclass(frozen=True)
class Lateness:
    """A histogram: how many were late by so many seconds at most, the last by any; and the sum of seconds."""

    at_most: Mapping[float, int]
    seconds: float


@dataclass(frozen=True)
class Happened:
    """Everything told before `as_of` is counted; None before the first run that counted anything."""

    fired: Lateness
    delivered: Mapping[str, Lateness]
    ended: Mapping[tuple[str, AttemptStatus], int]
    repeated: int
    changes: Mapping[str, int]
    undispatched: Mapping[DispatchFault, int]
    as_of: datetime | None


def read_happened(connection: Connection) -> Happened:
    """Three short statements; what has never happened is there, as 0, so that its first time is seen."""
    totals = connection.execute(select(EventTotal.__table__)).all()
    failures = connection.execute(
        select(DispatchFailure.reason, func.sum(DispatchFailure.rows)).group_by(DispatchFailure.reason)
    ).all()
    failed = {reason: int(rows) for reason, rows in failures}
    delivered = ENDED[AttemptStatus.DELIVERED]
    return Happened(
        fired=_lateness(_of(totals, FIRED)),
        delivered={channel: _lateness(_of(totals, delivered, channel)) for channel in CHANNELS},
        ended={
            (channel, status): _count(_of(totals, event, channel))
            for channel in CHANNELS
            for status, event in ENDED.items()
        },
        repeated=_count(_of(totals, REPEATED)),
        changes={event: _count(_of(totals, event)) for event in CHANGES},
        undispatched={reason: failed.get(reason, 0) for reason in DispatchFault},
        as_of=connection.execute(select(EventsCounted.as_of)).scalar_one_or_none(),
    )


def _of(totals: Iterable[Row[Any]], event: str, channel: str = "") -> list[Row[Any]]:
    return [row for row in totals if (row.event, row.channel) == (event, channel)]


def _count(rows: Iterable[Row[Any]]) -> int:
    return sum(row.rows for row in rows)


def _lateness(rows: list[Row[Any]]) -> Lateness:
    """By the bounds of today, whichever they were when it was counted."""
    at_most = {bound: _count(row for row in rows if row.late_up_to <= bound) for bound in (*BOUNDS, math.inf)}
    return Lateness(at_most, sum(row.seconds for row in rows))
