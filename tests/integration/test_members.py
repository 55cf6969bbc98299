"""Members: who changes whose role, who goes, and that a team is never without an owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import ConflictError, NotFoundError
from alertops.models import AuditEntry, Membership, User
from alertops.models.team import Role
from alertops.services.access.permissions import Action
from alertops.services.teams.change_role import change_role
from alertops.services.teams.hand_over import hand_over
from alertops.services.teams.remove_member import remove_member
from tests.integration.api_client import Person, a_flow, assert_problem, person
from tests.integration.crew import Crew, asks, audited, crew, join, roles, team_queue
from tests.integration.world import Queue, World, node

Sessions = sessionmaker[Session]


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def change(team: Crew, who: Person, whom: Person, role: str) -> Any:
    return who.call("PATCH", team.member_path(whom), {"role": role})


def remove(team: Crew, who: Person, whom: Person) -> Any:
    return who.call("DELETE", team.member_path(whom))


def test_members_are_listed_with_what_they_are_page_by_page(team: Crew, session: Session) -> None:
    session.get_one(User, team.admin.id).email_verified_at = session.get_one(User, team.admin.id).created_at
    session.commit()
    first = team.viewer.get(f"{team.path}/members?limit=3").json or {}
    rest = team.viewer.get(f"{team.path}/members?limit=3&cursor={first['next_cursor']}").json or {}
    assert rest["next_cursor"] is None
    listed = [*first["items"], *rest["items"]]
    assert [member["role"] for member in listed] == ["owner", "admin", "member", "viewer"]
    assert [member["email_verified"] for member in listed] == [False, True, False, False]
    assert listed[3].keys() == {"id", "name", "email", "email_verified", "role", "since"}
    assert (listed[3]["id"], listed[3]["email"]) == (str(team.viewer.id), "viewer@example.org")


@pytest.mark.parametrize(
    ("pair", "role", "status"),
    [
        (("admin", "member"), "viewer", 200),
        (("admin", "viewer"), "admin", 200),
        (("admin", "member"), "owner", 403),
        (("admin", "admin"), "owner", 403),
        (("admin", "admin"), "member", 200),
        (("admin", "owner"), "member", 403),
        (("admin", "owner"), "owner", 403),
        (("owner", "member"), "owner", 200),
        (("owner", "owner"), "admin", 409),
        (("member", "member"), "admin", 403),
        (("viewer", "viewer"), "member", 403),
    ],
)
def test_roles_are_changed_by_admins_and_ownership_by_owners(
    team: Crew, session: Session, pair: tuple[str, str], role: str, status: int
) -> None:
    who, whom = pair
    before = roles(session, team.team)
    answer = change(team, team.of(who), team.of(whom), role)
    assert answer.status_code == status, answer.text
    changed = {team.of(whom).id: role} if status == 200 else {}
    assert roles(session, team.team) == {**before, **changed}
    assert audited(session) == ["team.created", *(["member.role_changed"] if changed else [])]


def test_a_role_that_is_there_already_changes_nothing_and_is_not_audited(
    team: Crew, session: Session
) -> None:
    answer = change(team, team.admin, team.member, "member")
    assert (answer.status_code, (answer.json or {})["role"]) == (200, "member")
    assert change(team, team.owner, team.owner, "owner").status_code == 200
    assert audited(session) == ["team.created"]


def test_a_change_of_role_is_audited_with_before_and_after(team: Crew, session: Session) -> None:
    change(team, team.admin, team.viewer, "member")
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "member.role_changed")).one()
    assert (entry.actor_id, entry.subject_id) == (team.admin.id, team.viewer.id)
    assert (entry.before, entry.after) == ({"role": "viewer"}, {"role": "member"})
    assert (entry.team_id, entry.subject, entry.address) == (team.team, "member", "127.0.0.1")


@pytest.mark.parametrize("role", ["boss", "", None, 1])
def test_what_is_no_role_is_refused(team: Crew, role: Any) -> None:
    problem = assert_problem(change(team, team.owner, team.member, role), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/role"]


@pytest.mark.parametrize(
    ("who", "whom", "status"),
    [
        ("admin", "member", 204),
        ("admin", "owner", 403),
        ("member", "viewer", 403),
        ("viewer", "viewer", 204),
        ("admin", "admin", 204),
        ("owner", "admin", 204),
        ("owner", "owner", 409),
    ],
)
def test_admins_remove_members_and_anybody_but_the_last_owner_leaves(
    team: Crew, session: Session, who: str, whom: str, status: int
) -> None:
    assert remove(team, team.of(who), team.of(whom)).status_code == status
    assert (team.of(whom).id in roles(session, team.team)) == (status != 204)
    verb = "left" if who == whom else "removed"
    assert audited(session) == ["team.created", *([f"member.{verb}"] if status == 204 else [])]


def test_the_last_owner_is_told_what_to_do_and_one_of_two_owners_leaves(team: Crew, session: Session) -> None:
    problem = assert_problem(remove(team, team.owner, team.owner), 409)
    assert "make somebody else an owner first" in problem["detail"]
    assert change(team, team.owner, team.admin, "owner").status_code == 200
    assert remove(team, team.admin, team.owner).status_code == 204
    assert_problem(remove(team, team.admin, team.admin), 409)


def test_who_is_no_member_cannot_be_changed_nor_removed(team: Crew, app: Flask) -> None:
    stranger = person(app, "stranger")
    assert_problem(change(team, team.owner, stranger, "viewer"), 404)
    assert_problem(remove(team, team.owner, stranger), 404)
    assert_problem(remove(team, team.member, stranger), 403)


def test_an_owner_hands_over_and_is_an_admin_then(team: Crew, session: Session) -> None:
    answer = team.owner.post(f"{team.path}/hand-over", {"user_id": str(team.viewer.id)})
    assert (answer.status_code, (answer.json or {})["role"]) == (200, "owner")
    found = roles(session, team.team)
    assert (found[team.owner.id], found[team.viewer.id]) == ("admin", "owner")
    assert audited(session) == ["team.created", "member.handed_over"]
    assert_problem(team.owner.post(f"{team.path}/hand-over", {"user_id": str(team.member.id)}), 403)


def test_a_team_is_not_handed_over_to_oneself_nor_to_a_stranger(team: Crew, session: Session) -> None:
    before = roles(session, team.team)
    for user_id in (team.owner.id, uuid4()):
        problem = assert_problem(team.owner.post(f"{team.path}/hand-over", {"user_id": str(user_id)}), 422)
        assert [error["pointer"] for error in problem["errors"]] == ["/user_id"]
    assert roles(session, team.team) == before


def test_a_token_is_good_for_what_its_owner_may_do_at_this_moment(team: Crew) -> None:
    flow = team.member.make(f"{team.path}/flows", a_flow())["id"]
    alert = {"summary": "disk full"}
    change(team, team.admin, team.member, "viewer")
    assert_problem(team.member.post(f"/flows/{flow}/executions", alert), 403)
    assert team.member.get(f"/flows/{flow}").status_code == 200
    remove(team, team.admin, team.member)
    assert_problem(team.member.get(f"/flows/{flow}"), 404)
    assert_problem(team.member.post(f"/flows/{flow}/executions", alert), 404)
    assert team.member.get("/me").status_code == 200


def test_a_node_that_names_somebody_who_was_removed_escalates_at_once(
    app: Flask, session: Session, world: World
) -> None:
    owner, ann = world.owner.id, person(app, "ann")
    join(session, world.team.id, ann, "member")
    named = node("ann", 60, recipient={"type": "user", "user_id": str(ann.id)})
    execution = world.start(world.flow(node("first", 60), named, node("last", 6000)))
    world.pass_time(execution, 60)
    world.fire(execution, 1)
    world.send(execution, 1)
    remove_member(session, asks(owner, Action.LEAVE), world.team.id, ann.id)
    world.pass_time(execution, 60)
    world.fire(execution, 2)
    assert world.events(execution)[-3:] == ["step_fired", "nobody_to_tell", "step_brought_forward"]
    world.fire(execution, 3)
    assert [step.status for step in world.steps(execution)] == ["fired"] * 3


def outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except (ConflictError, NotFoundError) as error:
        return type(error).__name__
    return "done"


def leave(team: Crew, somebody: Person) -> Callable[[Session], str]:
    asking = asks(somebody, Action.LEAVE)
    return lambda own: outcome(lambda: remove_member(own, asking, team.team, somebody.id))


def step_down(team: Crew, somebody: Person) -> Callable[[Session], str]:
    asking = asks(somebody, Action.MANAGE_MEMBERS)
    return lambda own: outcome(lambda: change_role(own, asking, team.team, somebody.id, role=Role.ADMIN))


@pytest.mark.parametrize("goes", [leave, step_down])
def test_of_two_last_owners_who_go_at_once_one_stays(
    team: Crew, session: Session, sessions: Sessions, goes: Callable[[Crew, Person], Callable[[Session], str]]
) -> None:
    change(team, team.owner, team.admin, "owner")
    with team_queue(sessions, team.team) as queue:
        going = [queue.submit(goes(team, owner)) for owner in (team.owner, team.admin)]
    assert [future.result() for future in going] == ["done", "ConflictError"]
    assert list(roles(session, team.team).values()).count("owner") == 1


def test_who_was_demoted_while_they_waited_does_not_get_through(
    team: Crew, session: Session, sessions: Sessions
) -> None:
    asking = asks(team.admin, Action.MANAGE_MEMBERS)
    demoting = asks(team.owner, Action.MANAGE_MEMBERS)
    with team_queue(sessions, team.team) as queue:
        demoted = queue.submit(
            lambda own: change_role(own, demoting, team.team, team.admin.id, role=Role.VIEWER)
        )
        acting = queue.submit(
            lambda own: change_role(own, asking, team.team, team.viewer.id, role=Role.ADMIN)
        )
    assert demoted.result().role == "viewer"
    assert "You are viewer in this team" in str(acting.exception())
    assert roles(session, team.team)[team.viewer.id] == "viewer"


@pytest.mark.parametrize("how", ["hand over", "make owner"])
def test_who_deletes_their_account_at_that_moment_is_not_made_the_owner(
    team: Crew, session: Session, sessions: Sessions, how: str
) -> None:
    def hand(own: Session) -> object:
        if how == "hand over":
            return hand_over(own, asks(team.owner, Action.HAND_OVER), team.team, user_id=team.member.id)
        asking = asks(team.owner, Action.MANAGE_MEMBERS)
        return change_role(own, asking, team.team, team.member.id, role=Role.OWNER)

    def leave_for_good(holder: Session) -> None:
        holder.get_one(User, team.member.id, with_for_update=True)

    with Queue(sessions, leave_for_good) as queue:
        handing = queue.submit(hand)
        queue.holder.execute(delete(User).where(User.id == team.member.id))
        queue.holder.commit()
    assert handing.exception() is not None
    assert roles(session, team.team)[team.owner.id] == "owner"
    assert session.get(Membership, (team.team, team.member.id)) is None
