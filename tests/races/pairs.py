"""Executions to race on, prepared in bulk, and what is left of them when the race is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from alertops.escalation.flow import Flow, Node, flow_to_json
from alertops.models import Flow as FlowRow
from alertops.models import FlowRevision, Team, User

LEASE_SECONDS = 15


class Kind(StrEnum):
    """What races with the acknowledge."""

    CLAIM = "claim"  # of an attempt that is scheduled
    TAKEOVER = "takeover"  # claim of an attempt whose sender is gone
    TWO_CLAIMS = "two claims"  # of the same attempt, by two workers
    TWO_TAKEOVERS = "two takeovers"
    CLAIM_AND_MARK = "claim, then mark"  # the claimer goes on to the point of no return


TAKEN_BEFORE = frozenset({Kind.TAKEOVER, Kind.TWO_TAKEOVERS})
TWO_CLAIMERS = frozenset({Kind.TWO_CLAIMS, Kind.TWO_TAKEOVERS})


@dataclass(frozen=True)
class Pair:
    """One execution, with its only attempt at (step 1, target 1)."""

    execution_id: UUID
    kind: Kind

    @property
    def claims_before(self) -> int:
        """The claim number that the attempt had when the race began."""
        return 1 if self.kind in TAKEN_BEFORE else 0


@dataclass(frozen=True)
class Course:
    """The flow that all executions run, and the person who acknowledges them."""

    team_id: UUID
    flow_id: UUID
    actor_id: UUID


PREPARE = """
    WITH opened AS (
        INSERT INTO executions
            (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
        SELECT :team_id, :flow_id, 1, 'running', 'Race', 'info', '{}', now() - interval '1 minute'
        FROM generate_series(1, :rows)
        RETURNING id, anchor_at
    ),
    steps AS (
        INSERT INTO steps (execution_id, number, round, node_index, node_id, node_name, revision_number,
            status, planned_at, due_at, fired_at)
        SELECT id, 1, 0, 0, 'first', 'n', 1, 'fired', anchor_at, anchor_at, now() FROM opened
        UNION ALL
        SELECT id, 2, 0, 1, 'second', 'n', 1, 'waiting', later, later, NULL
        FROM opened, (SELECT now() + interval '1 hour' AS later) AS _
        RETURNING 1
    )
    INSERT INTO attempts
        (execution_id, step_number, target_number, number, channel, address, status, due_at,
         claim_number, lease_until)
    SELECT id, 1, 1, 1, 'email', 'a@example.com', :status, now(), :claims, now() - interval '1 second'
    FROM opened
    RETURNING execution_id
"""

# A row's xmin is the transaction that wrote it last: the claim or the mark, and the acknowledge.
LEFT = """
    SELECT e.id, e.status AS execution, a.status, a.claim_number, a.transmit_at IS NOT NULL AS marked,
        greatest(a.lease_until - :lease * interval '1 second', a.transmit_at) > e.acknowledged_at AS later,
        {commits} AS committed_later
    FROM executions e JOIN attempts a ON a.execution_id = e.id
    WHERE e.id = ANY(:ids)
"""
COMMITS = "pg_xact_commit_timestamp(a.xmin) > pg_xact_commit_timestamp(e.xmin)"


@dataclass(frozen=True)
class Left:
    """What the rows say after the race.

    `later` is true when the claim or the mark is later than the acknowledge by the database's clock, or
    was committed later. Says nothing unless one of them was made.
    """

    execution: str
    status: str
    claim_number: int
    marked: bool
    later: bool

    @classmethod
    def of(cls, row: Row[Any]) -> Left:
        later = bool(row.later) or bool(row.committed_later)
        return cls(row.execution, row.status, row.claim_number, row.marked, later)


def lay_out(session: Session) -> Course:
    """The team, person and flow that all executions share."""
    team, user = Team(name="Races"), User(email=f"{uuid4()}@example.com", name="Racer", password_hash="-")
    session.add_all([team, user])
    session.flush()
    flow = FlowRow(team_id=team.id, name="Race", revision_number=1)
    session.add(flow)
    session.flush()
    recipient = {"type": "email", "email": "a@example.com"}
    nodes = tuple(Node(id_, "n", recipient, delay) for id_, delay in (("first", 0), ("second", 3600)))
    session.add(FlowRevision(flow_id=flow.id, number=1, definition=flow_to_json(Flow(nodes))))
    session.commit()
    return Course(team.id, flow.id, user.id)


def prepare(session: Session, course: Course, kinds: Sequence[Kind]) -> list[Pair]:
    """One pair for each of the kinds, in their order."""
    ready = {kind: _insert(session, course, kind, kinds.count(kind)) for kind in set(kinds)}
    session.commit()
    return [Pair(next(ready[kind]), kind) for kind in kinds]


def _insert(session: Session, course: Course, kind: Kind, rows: int) -> Iterator[UUID]:
    taken = kind in TAKEN_BEFORE
    values = {
        "team_id": course.team_id,
        "flow_id": course.flow_id,
        "rows": rows,
        "status": "sending" if taken else "scheduled",
        "claims": int(taken),
    }
    return iter(session.scalars(text(PREPARE), values).all())


def look(session: Session, pairs: Sequence[Pair], *, commits_are_tracked: bool) -> dict[UUID, Left]:
    """The rows of these pairs, by execution."""
    query = text(LEFT.format(commits=COMMITS if commits_are_tracked else "false"))
    ids = [pair.execution_id for pair in pairs]
    rows = session.execute(query, {"ids": ids, "lease": LEASE_SECONDS}).all()
    session.rollback()
    return {row.id: Left.of(row) for row in rows}


def commits_are_tracked(session: Session) -> bool:
    """Whether the server remembers when each transaction was committed (`track_commit_timestamp`)."""
    setting = session.scalar(text("SHOW track_commit_timestamp"))
    session.rollback()
    return setting == "on"
