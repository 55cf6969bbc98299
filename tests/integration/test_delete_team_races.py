"""A deletion and whatever else happens to the team at that moment, in either order.

After the deletion has committed nothing fires, starts or is claimed; what came before it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import AlertOpsError
from alertops.escalation.decision import Reason
from alertops.models import Execution, Flow, Membership, Step, Team
from alertops.services.access.actor import Person
from alertops.services.access.permissions import Action
from alertops.services.acknowledge import acknowledge
from alertops.services.claim_attempt import Claim, NoClaim, claim_attempt
from alertops.services.dispatch import Dispatcher
from alertops.services.fire_step import fire_step
from alertops.services.flows.archive_flow import unarchive_flow
from alertops.services.flows.create_flow import create_flow
from alertops.services.flows.lock_flow import Editor, lock_flow
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.lock import lock_execution
from alertops.services.operate import By
from alertops.services.start_execution import Alert, Started, start_execution
from alertops.services.teams.delete_team import Deletion, delete_team
from tests.integration.api_client import a_flow
from tests.integration.crew import asks
from tests.integration.world import Broker, Queue, World, node

Sessions = sessionmaker[Session]


class Race:
    """A deletion and something else that line up for a lock, in either order."""

    def __init__(self, world: World, sessions: Sessions) -> None:
        self.world, self.sessions = world, sessions
        self.owner_id, self.team_id = world.owner.id, world.team.id
        self.flow_id: UUID = world.flow(node("a", 0), node("b", 600)).id
        self.execution = world.start(world.session.get_one(Flow, self.flow_id))
        self.id: UUID = self.execution.id
        world.fire(self.execution, 1)
        world.pass_time(self.execution, 600)

    def run(
        self, deletion_first: bool, hold: Callable[[Session], object], other: Any
    ) -> tuple[Deletion, Any]:
        """What the deletion told, and what the other came to: its answer or its error."""
        with Queue(self.sessions, hold) as queue:
            acts = [self.delete, other] if deletion_first else [other, self.delete]
            futures = [queue.submit(act) for act in acts]
        deleting, acting = futures if deletion_first else reversed(futures)
        error = acting.exception()
        assert error is None or isinstance(error, AlertOpsError), error
        return deleting.result(), error or acting.result()

    def at_execution(self, holder: Session) -> None:
        lock_execution(holder, self.id)

    def at_flow(self, holder: Session) -> None:
        lock_flow(holder, holder.get_one(Flow, self.flow_id), against_starts=True)

    def at_team(self, holder: Session) -> None:
        holder.get_one(Team, self.team_id, with_for_update=True)

    def delete(self, session: Session) -> Deletion:
        return delete_team(session, asks(self.owner_id, Action.DELETE_TEAM), self.team_id)

    def start(self, session: Session) -> Started:
        flow = session.get_one(Flow, self.flow_id)
        return start_execution(session, Dispatcher(Broker()), flow, Alert("disk", "critical", {}), None)

    def fire(self, session: Session) -> Reason:
        return fire_step(session, Dispatcher(Broker()), StepKey(self.id, 2))

    def acknowledge(self, session: Session) -> object:
        return acknowledge(session, Dispatcher(Broker()), self.id, By(self.owner_id))

    def claim(self, session: Session) -> Claim | NoClaim:
        return claim_attempt(session, AttemptKey(self.id, 1, 1, 1), lease_seconds=15)

    def create_flow(self, session: Session) -> Flow:
        about = {"name": "new", "description": "", "repeat": 0, "nodes": [dict(a_flow()["nodes"][0])]}
        about["nodes"][0] |= {"retry": {}, "on_failure": "escalate", "on_unknown": "resend"}
        return create_flow(session, self.team_id, Person(self.owner_id), **about)

    def require_quiet(self) -> None:
        """Nothing of the team waits, runs or can start."""
        session = self.world.session
        session.rollback()
        session.expire_all()
        assert set(session.scalars(select(Execution.status))) == {"cancelled"}
        assert "waiting" not in set(session.scalars(select(Step.status)))
        assert None not in set(session.scalars(select(Flow.archived_at)))
        assert session.scalar(select(func.count()).select_from(Membership)) == 0


@pytest.fixture
def race(world: World, sessions: Sessions) -> Race:
    return Race(world, sessions)


@pytest.mark.parametrize("deletion_first", [True, False])
def test_a_start_is_refused_or_cancelled(race: Race, deletion_first: bool) -> None:
    deletion, started = race.run(deletion_first, race.at_flow, race.start)
    assert isinstance(started, AlertOpsError) == deletion_first
    assert deletion.executions == (1 if deletion_first else 2)
    race.require_quiet()


@pytest.mark.parametrize("deletion_first", [True, False])
def test_a_step_fires_before_the_deletion_or_not_at_all(race: Race, deletion_first: bool) -> None:
    _, reason = race.run(deletion_first, race.at_execution, race.fire)
    assert reason is (Reason.STALE if deletion_first else Reason.DUE)
    race.require_quiet()
    assert [attempt.status for attempt in race.world.attempts(race.execution)] == ["cancelled"] * (
        1 if deletion_first else 2
    )


@pytest.mark.parametrize("deletion_first", [True, False])
def test_an_acknowledge_comes_before_the_deletion_or_is_refused(race: Race, deletion_first: bool) -> None:
    _, answered = race.run(deletion_first, race.at_execution, race.acknowledge)
    assert isinstance(answered, AlertOpsError) == deletion_first
    assert ("acknowledged" in race.world.events(race.execution)) != deletion_first
    race.require_quiet()


@pytest.mark.parametrize("deletion_first", [True, False])
def test_a_claim_comes_before_the_deletion_and_is_told_or_claims_nothing(
    race: Race, deletion_first: bool
) -> None:
    deletion, claim = race.run(deletion_first, race.at_execution, race.claim)
    assert isinstance(claim, NoClaim if deletion_first else Claim)
    assert deletion.sends_in_flight == (0 if deletion_first else 1)
    race.require_quiet()


@pytest.mark.parametrize("deletion_first", [True, False])
def test_a_flow_is_created_before_the_deletion_or_not_at_all(race: Race, deletion_first: bool) -> None:
    deletion, created = race.run(deletion_first, race.at_team, race.create_flow)
    assert isinstance(created, AlertOpsError) == deletion_first
    assert deletion.flows == (1 if deletion_first else 2)
    race.require_quiet()


def test_a_flow_is_not_taken_out_of_the_archive_of_a_deleted_team(race: Race) -> None:
    def unarchive(session: Session) -> None:
        flow = session.get_one(Flow, race.flow_id)
        unarchive_flow(session, flow, Editor(Person(race.owner_id), None))

    _, refused = race.run(True, race.at_team, unarchive)
    assert isinstance(refused, AlertOpsError)
    race.require_quiet()
