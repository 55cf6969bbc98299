"""One's own account: another name, another password, and leaving for good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import ConflictError
from alertops.models import Execution, FlowRevision, LoginSession, Membership, Team, TimelineEntry, User
from alertops.services.accounts.delete_account import delete_account
from alertops.services.accounts.limits import Limits
from alertops.services.accounts.open_session import Client, open_session
from alertops.services.acknowledge import acknowledge
from alertops.services.operate import By
from tests.integration.api_client import API, Person, a_flow, assert_problem, person, row_counts
from tests.integration.world import Queue, World, node

PASSWORD = "correct horse battery staple"
NEW_PASSWORD = "a wholly different password"

# As good as any for what is tested here, and a hundred times faster.
_quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.services.accounts.passwords._hasher", _quick)


def with_password(person: Person, session: Session) -> Person:
    session.execute(update(User).where(User.id == person.id).values(password_hash=_quick.hash(PASSWORD)))
    session.commit()
    return person


@pytest.fixture
def ann(app: Flask, session: Session) -> Person:
    return with_password(person(app, "ann"), session)


def login(person: Person, password: str) -> int:
    body = {"email": "ann@example.org", "password": password}
    return person.client.post(f"{API}/auth/login", json=body).status_code


def change_password(person: Person, current: str, new: str) -> Any:
    return person.post("/me/password", {"current_password": current, "new_password": new})


def delete_me(person: Person, password: str = PASSWORD) -> Any:
    return person.call("DELETE", "/me", {"password": password})


def test_a_name_is_changed_and_nothing_else(ann: Person) -> None:
    before = ann.get("/me").json or {}
    changed = ann.call("PATCH", "/me", {"name": "Ann Other"})
    assert changed.json == {**before, "name": "Ann Other"}
    assert ann.get("/me").json == changed.json


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({}, "/name", id="nothing"),
        pytest.param({"name": " "}, "/name", id="blank"),
        pytest.param({"name": "Ann", "email": "other@example.org"}, "/email", id="the address"),
        pytest.param({"name": "Ann", "password_hash": "x"}, "/password_hash", id="what nobody may set"),
    ],
)
def test_what_cannot_be_changed_is_refused(ann: Person, body: dict[str, str], pointer: str) -> None:
    before = ann.get("/me").json
    problem = assert_problem(ann.call("PATCH", "/me", body), 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert ann.get("/me").json == before


def test_a_new_password_ends_the_old_one_and_all_other_sessions(
    app: Flask, ann: Person, session: Session
) -> None:
    ben = person(app, "ben")
    phone = open_session(session, ann.id, Client(), timedelta(days=1))
    assert change_password(ann, PASSWORD, NEW_PASSWORD).status_code == 204
    assert ann.get("/me").status_code == 200
    left = set(session.scalars(select(LoginSession.id)))
    assert left == {ann.session_id, ben.session_id}
    assert phone.id not in left
    assert (login(ann, PASSWORD), login(ann, NEW_PASSWORD)) == (401, 200)


def test_a_password_is_not_changed_without_the_current_one(ann: Person, session: Session) -> None:
    phone = open_session(session, ann.id, Client(), timedelta(days=1))
    problem = assert_problem(change_password(ann, "not my password", NEW_PASSWORD), 422)
    assert problem["errors"][0]["pointer"] == "/current_password"
    assert_problem(change_password(ann, PASSWORD, "short"), 422)
    assert set(session.scalars(select(LoginSession.id))) == {ann.session_id, phone.id}
    assert login(ann, PASSWORD) == 200


def test_who_leaves_is_gone_with_memberships_and_sessions(app: Flask, ann: Person, session: Session) -> None:
    ben = person(app, "ben")
    team = ben.make("/teams", {"name": "Operations"})["id"]
    session.add(Membership(team_id=team, user_id=ann.id, role="admin"))
    session.commit()
    assert delete_me(ann).status_code == 204
    assert_problem(ann.get("/me"), 401)
    assert login(ann, PASSWORD) == 401
    counts = row_counts(session)
    assert (counts["users"], counts["memberships"], counts["login_sessions"]) == (1, 1, 1)
    assert ben.get(f"/teams/{team}").status_code == 200
    registration = {"email": "ann@example.org", "name": "Another Ann", "password": PASSWORD}
    assert ben.client.post(f"{API}/auth/register", json=registration).status_code == 202


def test_an_account_is_not_deleted_without_its_password(ann: Person) -> None:
    problem = assert_problem(delete_me(ann, "not my password"), 422)
    assert problem["errors"][0]["pointer"] == "/password"
    assert_problem(ann.call("DELETE", "/me"), 422)
    assert ann.get("/me").status_code == 200


def test_a_last_owner_cannot_leave_and_is_told_which_teams(app: Flask, ann: Person, session: Session) -> None:
    alone = ann.make("/teams", {"name": "Alone"})
    shared = ann.make("/teams", {"name": "Shared"})
    ben = person(app, "ben")
    for team, role in ((shared, "owner"), (alone, "admin")):
        session.add(Membership(team_id=UUID(team["id"]), user_id=ben.id, role=role))
    session.commit()
    before = row_counts(session)
    problem = assert_problem(delete_me(ann), 409)
    assert problem["current"] == {"teams": [{"id": alone["id"], "name": "Alone"}], "count": 1}
    assert {**row_counts(session), "throttles": 0} == before
    assert ann.get("/me").status_code == 200


def test_what_somebody_did_stays_told_when_they_have_left(
    app: Flask, ann: Person, session: Session, world: World
) -> None:
    session.add(Membership(team_id=world.team.id, user_id=ann.id, role="member"))
    session.commit()
    flow = ann.make(f"/teams/{world.team.id}/flows", a_flow())["id"]
    execution = ann.make(f"/flows/{flow}/executions", {"summary": "disk full"})["id"]
    acknowledge(session, world.dispatcher, execution, By(ann.id))
    entries = session.scalars(select(TimelineEntry.actor_id).order_by(TimelineEntry.id)).all()
    assert delete_me(ann).status_code == 204
    session.expire_all()
    assert session.get_one(Execution, execution).acknowledged_by == ann.id
    assert session.scalars(select(TimelineEntry.actor_id).order_by(TimelineEntry.id)).all() == entries
    assert ann.id in entries
    assert session.get_one(FlowRevision, (flow, 1)).author_id == ann.id


def test_a_node_that_names_somebody_who_left_tells_nobody_and_escalates_at_once(
    ann: Person, session: Session, world: World
) -> None:
    session.add(Membership(team_id=world.team.id, user_id=ann.id, role="member"))
    session.commit()
    named = node("ann", 60, recipient={"type": "user", "user_id": str(ann.id)})
    execution = world.start(world.flow(named, node("next", 600)))
    assert delete_me(ann).status_code == 204
    world.pass_time(execution, 60)
    world.fire(execution, 1)
    assert world.events(execution) == ["started", "step_fired", "nobody_to_tell", "step_brought_forward"]


def test_of_two_last_owners_who_leave_at_once_one_stays(
    app: Flask, ann: Person, session: Session, sessions: sessionmaker[Session]
) -> None:
    ben = with_password(person(app, "ben"), session)
    team = ann.make("/teams", {"name": "Operations"})["id"]
    session.add(Membership(team_id=team, user_id=ben.id, role="owner"))
    session.commit()

    def leave(own: Session, who: Person) -> bool:
        try:
            delete_account(own, Limits(b"secret"), who.id, password=PASSWORD)
        except ConflictError:
            return False
        return True

    def hold(holder: Session) -> None:
        holder.execute(select(Team).with_for_update()).all()

    with Queue(sessions, hold) as queue:
        leaving = [queue.submit(lambda own, who=who: leave(own, who)) for who in (ann, ben)]  # type: ignore[misc]
    assert sorted(future.result() for future in leaving) == [False, True]
    assert session.scalar(select(func.count()).select_from(Membership)) == 1
