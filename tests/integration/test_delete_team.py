"""A team is deleted: what ends with it, what stays told, and whoever meets the deletion half-way."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.escalation.events import Cancel
from alertops.escalation.flow import Flow as FlowDefinition
from alertops.escalation.machine import decide
from alertops.escalation.plan import Course
from alertops.escalation.state import State
from alertops.escalation.states import ExecutionStatus
from alertops.models import (
    ApiKey,
    Attempt,
    AuditEntry,
    Execution,
    Invitation,
    Step,
    TimelineEntry,
)
from alertops.services.access.permissions import Action
from alertops.services.acknowledge import acknowledge
from alertops.services.cancel import cancel
from alertops.services.cancel_executions import CANCELLABLE
from alertops.services.claim_attempt import Claim, claim_attempt
from alertops.services.keys import AttemptKey
from alertops.services.operate import By
from alertops.services.resolve import resolve
from alertops.services.snooze import snooze
from alertops.services.teams.delete_team import Deletion, delete_team
from alertops.verify.history import within
from alertops.verify.promises import Verdict, judge_rows
from alertops.verify.read import read_histories
from tests.integration.api_client import a_flow, assert_problem, row_counts
from tests.integration.crew import Crew, asks, audited, crew
from tests.integration.world import World, node

Sessions = sessionmaker[Session]


def delete(session: Session, world: World) -> Deletion:
    return delete_team(session, asks(world.owner.id, Action.DELETE_TEAM), world.team.id)


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def test_a_team_is_renamed_and_the_same_name_is_no_change(team: Crew, session: Session) -> None:
    for _ in range(2):
        renamed = team.admin.call("PATCH", team.path, {"name": "Platform"})
        assert (renamed.status_code, (renamed.json or {})["name"]) == (200, "Platform")
    assert audited(session) == ["team.created", "team.renamed"]


def test_the_consequences_are_told_before_and_are_the_same_after(team: Crew, session: Session) -> None:
    flow = team.owner.make(f"{team.path}/flows", a_flow())["id"]
    team.owner.make(f"{team.path}/flows", a_flow())
    for summary in ("one", "two"):
        team.owner.make(f"/flows/{flow}/executions", {"summary": summary})
    team.owner.make(f"{team.path}/api-keys", {"name": "CI", "scopes": ["trigger"]})
    later = func.now() + timedelta(days=7)
    invited = {"email": "new@example.org", "role": "member", "status": "pending", "expires_at": later}
    session.execute(insert(Invitation).values(team_id=team.team, **invited))
    session.commit()
    before = row_counts(session)
    told = team.owner.get(f"{team.path}/deletion").json
    assert told == {
        "flows": 2,
        "executions": 2,
        "invitations": 1,
        "api_keys": 1,
        "members": 4,
        "sends_in_flight": 0,
    }
    assert row_counts(session) == before
    deleted = team.owner.call("DELETE", team.path)
    assert (deleted.status_code, deleted.json) == (200, told)
    # Nothing is gone but the members; each execution, and the log, tell of it.
    after = row_counts(session)
    told_of = {"memberships": 0, "timeline": before["timeline"] + 2, "audit_log": before["audit_log"] + 1}
    assert after == {**before, **told_of}
    assert session.scalars(select(Invitation.status)).all() == ["revoked"]
    assert session.scalars(select(ApiKey.revoked_by)).all() == [team.owner.id]
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (entry.action, entry.before, entry.after) == ("team.deleted", {"name": "Operations"}, told)


def test_nobody_reaches_a_deleted_team(team: Crew) -> None:
    flow = team.owner.make(f"{team.path}/flows", a_flow())["id"]
    execution = team.owner.make(f"/flows/{flow}/executions", {"summary": "disk full"})["id"]
    assert team.owner.call("DELETE", team.path).status_code == 200
    for path in (team.path, f"{team.path}/audit-log", f"/flows/{flow}", f"/executions/{execution}"):
        assert_problem(team.owner.get(path), 404)
    assert_problem(team.owner.call("DELETE", team.path), 404)
    assert team.owner.get("/teams").json == {"items": [], "next_cursor": None}


def in_state(world: World, status: ExecutionStatus) -> Execution:
    """An execution in this state, with a step or an attempt that waits, if it can have one."""
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    if status is ExecutionStatus.ACKNOWLEDGED:
        acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    elif status is ExecutionStatus.RESOLVED:
        resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
    elif status is ExecutionStatus.EXHAUSTED:
        world.send(execution, 1)
        world.pass_time(execution, 600)
        world.fire(execution, 2)
        world.send(execution, 2)
    elif status is ExecutionStatus.SNOOZED:
        snooze(world.session, world.dispatcher, execution.id, timedelta(hours=1), By(world.owner.id))
    elif status is ExecutionStatus.CANCELLED:
        cancel(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert world.status(execution) == status
    return execution


@pytest.mark.parametrize("status", [*ExecutionStatus])
def test_deletion_does_to_an_execution_what_the_machine_says(world: World, status: ExecutionStatus) -> None:
    execution = in_state(world, status)
    decision = decide(
        State(
            status,
            FlowDefinition((node("a"),)),
            Course(execution.anchor_at),
            execution.created_at,
        ),
        Cancel(),
        execution.anchor_at,
    )
    before = world.events(execution)
    deletion = delete(world.session, world)
    world.session.expire_all()
    cancelled = decision.to is ExecutionStatus.CANCELLED
    assert cancelled == (status in CANCELLABLE) == (deletion.executions == 1)
    assert world.status(execution) == (decision.to or status)
    assert world.events(execution) == [*before, *(["cancelled"] if cancelled else [])]
    if cancelled:
        assert {step.status for step in world.steps(execution)} <= {"fired", "cancelled"}
        assert {attempt.status for attempt in world.attempts(execution)} <= {"delivered", "cancelled"}
        entry = world.session.scalars(
            select(TimelineEntry).where(
                TimelineEntry.execution_id == execution.id, TimelineEntry.event == "cancelled"
            )
        ).one()
        assert entry.detail == {"came_from": status, "reason": "team_deleted"}
        assert entry.actor_id == world.owner.id
        assert broken_promises(world.session) == []


def test_a_send_that_has_begun_is_told_and_not_called_back(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    claim = claim_attempt(world.session, AttemptKey(execution.id, 1, 1, 1), lease_seconds=15)
    assert isinstance(claim, Claim)
    assert delete(world.session, world).sends_in_flight == 1
    assert [attempt.status for attempt in world.attempts(execution)] == ["sending"]


def broken_promises(session: Session) -> list[str]:
    """What `alertops verify` says."""
    session.rollback()
    verdict = Verdict()
    for history in read_histories(session, within(timedelta(minutes=1))):
        judge_rows(verdict, history)
    assert verdict.executions == 1
    return verdict.broken


_COPIES = """
    WITH made AS (
        INSERT INTO executions
            (team_id, flow_id, revision_number, status, summary, severity, details, anchor_at)
        SELECT team_id, flow_id, revision_number, status, summary, severity, details, anchor_at
        FROM executions, generate_series(1, :copies) WHERE executions.id = :id
        RETURNING id
    ), walked AS (
        INSERT INTO steps
            (execution_id, number, round, node_index, node_id, node_name, status, planned_at, due_at,
             fired_at)
        SELECT made.id, number, round, node_index, node_id, node_name, status, planned_at, due_at, fired_at
        FROM made, steps WHERE execution_id = :id
    )
    INSERT INTO attempts
        (execution_id, step_number, target_number, number, channel, address, status, due_at)
    SELECT made.id, step_number, target_number, number, channel, address, status, due_at
    FROM made, attempts WHERE execution_id = :id
"""


def test_a_thousand_running_executions_end_in_seconds(world: World) -> None:
    execution = world.start(world.flow(node("a", 0), node("b", 600)))
    world.fire(execution, 1)
    world.session.execute(text(_COPIES), {"id": execution.id, "copies": 999})
    world.session.commit()
    began = time.monotonic()
    deletion = delete(world.session, world)
    seconds = time.monotonic() - began
    print(f"1,000 running executions were cancelled in {seconds:.2f} s")
    assert deletion.executions == 1000
    assert seconds < 5
    counted = select(Step.status, func.count()).group_by(Step.status)
    assert {row[0]: row[1] for row in world.session.execute(counted)} == {"fired": 1000, "cancelled": 1000}
    counted = select(Attempt.status, func.count()).group_by(Attempt.status)
    assert [tuple(row) for row in world.session.execute(counted)] == [("cancelled", 1000)]
