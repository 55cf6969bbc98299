"""AlertOps: the fleet of `make run` in a room, and executions whose first step is due when it is wanted.

The rows are written as an alert writes them, and dispatched by our own dispatcher. That they do not come over
HTTP is so that a thousand can be due in the same second; `ingest.py` measures the HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from uuid import UUID, uuid4

from celery import Celery
from sqlalchemy import insert, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from alertops.escalation.flow import Flow as FlowDefinition
from alertops.escalation.flow import Node, flow_to_json
from alertops.models import Flow, FlowRevision, Membership, Team, User
from alertops.services.dispatch import Dispatcher, StepWakeUp
from alertops.services.keys import StepKey
from deploy.local.fleet import HOSTS, Fleet
from deploy.local.service import Service
from tasks.publisher import ConfirmingPublisher
from tests.benchmarks.contenders.contender import pages, wait_until_calm
from tests.benchmarks.figures import OURS
from tests.benchmarks.stage import Room

FLOWS = 20
# Of executions that a team may open a minute.
NO_LIMIT = {"ALERTOPS_TEAM_ALERTS_PER_MINUTE": "0"}
PAGE = 500

# What an alert writes, for many at once; `start_execution` has the original.
EXECUTIONS = text(
    """
    WITH opened AS (
        INSERT INTO executions
            (id, team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
        SELECT wanted.id, flows.team_id, flows.id, 1, 'running', 'The disk of db-1 is full', 'critical',
               '{"host": "db-1", "mount": "/var", "used_percent": 97}', wanted.due_at - interval '60 seconds'
        FROM unnest(CAST(:ids AS uuid[]), CAST(:due AS timestamptz[]), CAST(:flows AS uuid[]))
             AS wanted (id, due_at, flow_id)
        JOIN flows ON flows.id = wanted.flow_id
    ), told AS (
        INSERT INTO timeline (execution_id, event, detail)
        SELECT id, 'started', '{"revision": 1}' FROM unnest(CAST(:ids AS uuid[])) AS wanted (id)
    )
    INSERT INTO steps
        (execution_id, number, round, node_index, node_id, node_name, revision_number, status, planned_at,
         due_at)
    SELECT id, 1, 0, 0, 'on-call', 'on call', 1, 'waiting', due_at, due_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:due AS timestamptz[])) AS wanted (id, due_at)
    """
)


class Ours:
    """See `Contender`. The API is not started: nothing comes in."""

    name = OURS

    def __init__(self, room: Room, *, extra: Mapping[str, str] | None = None) -> None:
        self.room = room
        # JSON is what production writes. An interval without canaries would not be the fleet that people run.
        settings = {"ALERTOPS_LOG_FORMAT": "json", **(extra or {})}
        self.fleet = Fleet(
            room.folder, room.addresses, smtp_port=room.stage.sink.port, hosts=HOSTS, extra=settings
        )
        self.flows: list[UUID] = []

    @property
    def pids(self) -> list[int]:
        return [pid for worker in self.fleet.workers for pid in worker.pids]

    def prepare(self) -> None:
        self.room.migrate()
        with self.sessions() as sessions, sessions() as session:
            self.flows = [_flow(session, number) for number in range(FLOWS)]
            session.commit()

    def start(self) -> None:
        start(self.fleet.workers)

    def stop(self) -> None:
        for worker in self.fleet.workers:
            worker.terminate()
        for worker in self.fleet.workers:
            worker.stop(grace=20)

    def schedule(self, due: Sequence[float]) -> list[str]:
        jobs: list[str] = []
        dispatcher = self._dispatcher
        with self.sessions() as sessions, sessions() as session:
            for page in pages(due, PAGE):
                wake_ups = self._open(session, [datetime.fromtimestamp(at, UTC) for at in page])
                if dispatcher.dispatch(session, wake_ups) < len(page):
                    raise RuntimeError("the broker did not confirm all wake-ups")
                jobs += [str(wake_up.key.execution_id) for wake_up in wake_ups]
        return jobs

    def fired_at(self, jobs: Sequence[str]) -> dict[str, float]:
        """When the step of each of these fired, in seconds since 1970."""
        query = text(
            "SELECT execution_id, extract(epoch FROM fired_at) FROM steps"
            " WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND number = 1 AND fired_at IS NOT NULL"
        )
        with self.sessions() as sessions, sessions() as session:
            return {str(id_): float(at) for id_, at in session.execute(query, {"ids": list(jobs)})}

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        app = Celery(broker=self.room.addresses.broker_url, set_as_current=False)
        return Dispatcher(ConfirmingPublisher(app, 10.0))

    @contextmanager
    def sessions(self) -> Iterator[sessionmaker[Session]]:
        sessions = session_factory(self.room.addresses.database_url)
        try:
            yield sessions
        finally:
            sessions.kw["bind"].dispose()

    def _open(self, session: Session, due: Sequence[datetime]) -> list[StepWakeUp]:
        ids = [uuid4() for _ in due]
        flows = [self.flows[number % len(self.flows)] for number in range(len(due))]
        session.execute(
            EXECUTIONS, {"ids": list(map(str, ids)), "due": list(due), "flows": list(map(str, flows))}
        )
        session.commit()
        return [StepWakeUp(StepKey(id_, 1), at) for id_, at in zip(ids, due, strict=True)]


def start(services: Sequence[Service]) -> None:
    """Start these, and wait until they have come to rest."""
    for service in services:
        service.start()
    for service in services:
        service.wait_ready()
    wait_until_calm([pid for service in services for pid in service.pids])


def _flow(session: Session, number: int) -> UUID:
    """A flow of a team of its own, which mails to a member who is on call."""
    team = Team(name=f"Team {number}")
    user = User(email=f"oncall-{number}@example.org", name="On call", password_hash="cannot log in")
    session.add_all([team, user])
    session.flush()
    session.execute(insert(Membership).values(team_id=team.id, user_id=user.id, role="owner"))
    flow = Flow(team_id=team.id, name="One mail", revision_number=1)
    session.add(flow)
    session.flush()
    node = Node("on-call", "on call", {"type": "user", "user_id": str(user.id)}, 60)
    definition = flow_to_json(FlowDefinition(nodes=(node,)))
    session.add(FlowRevision(flow_id=flow.id, number=1, definition=definition))
    return flow.id
