"""Inviting people: with an account or without, once, and only those who read what was sent to the address."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from alertops.models import User
from tests.integration.api_client import API, Person, assert_problem, person
from tests.integration.inviting import (
    by_token,
    invited,
    mailed_token,
    opens_account,
    proves,
    role_of,
    status_of,
)


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def team(ann: Person) -> str:
    return str(ann.make("/teams", {"name": "Operations"})["id"])


# ---- the invited person's intent is kept


def test_who_accepts_before_having_an_account_is_a_member_when_they_have_one(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "Ben@Example.org", "viewer")
    accepted = by_token(app, mailed_token(session, invitation), "accept")
    assert accepted.status_code == 200
    assert (accepted.json["status"], accepted.json["team_name"]) == ("accepted", "Operations")
    ben = person(app, "ben")
    assert role_of(ben, team) is None
    proves(session, ben)
    assert role_of(ben, team) == "viewer"
    assert status_of(session, invitation) == "joined"


def test_who_declines_before_having_an_account_is_not_asked_again(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    assert by_token(app, mailed_token(session, invitation), "decline").json["status"] == "declined"
    ben = opens_account(app, session, "ben")
    assert role_of(ben, team) is None
    assert ben.get("/me/invitations").json == {"items": []}
    assert status_of(session, invitation) == "declined"


def test_who_registers_without_opening_the_mail_finds_the_invitation_waiting(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org", "admin")
    ben = opens_account(app, session, "ben")
    assert role_of(ben, team) is None
    (waiting,) = (ben.get("/me/invitations").json or {})["items"]
    assert (waiting["id"], waiting["team_name"], waiting["inviter_name"]) == (
        invitation,
        "Operations",
        "ann",
    )
    assert ben.post(f"/me/invitations/{invitation}/accept").json["status"] == "joined"
    assert role_of(ben, team) == "admin"


def test_several_teams_may_invite_the_same_address(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    other = str(ann.make("/teams", {"name": "Other"})["id"])
    third = str(ann.make("/teams", {"name": "Third"})["id"])
    for where in (team, other):
        by_token(app, mailed_token(session, invited(ann, where, "ben@example.org")), "accept")
    invited(ann, third, "ben@example.org")
    ben = opens_account(app, session, "ben")
    assert [role_of(ben, where) for where in (team, other, third)] == ["member", "member", None]
    assert [i["team_name"] for i in (ben.get("/me/invitations").json or {})["items"]] == ["Third"]


# ---- nobody gets what is not theirs


def test_who_only_registers_with_somebody_elses_address_gets_nothing(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    token = mailed_token(session, invitation)
    squatter = person(app, "ben")
    assert squatter.get("/me/invitations").json == {"items": []}
    assert_problem(squatter.post(f"/me/invitations/{invitation}/accept"), 404)
    # The invited person says yes with the mail in hand; the account that somebody else opened is not theirs.
    assert by_token(app, token, "accept").json["status"] == "accepted"
    assert role_of(squatter, team) is None
    assert_problem(squatter.get(f"/teams/{team}"), 404)


def test_the_token_and_a_login_with_that_address_together_prove_it(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    other = str(ann.make("/teams", {"name": "Other"})["id"])
    by_token(app, mailed_token(session, invited(ann, other, "ben@example.org")), "accept")
    ben = person(app, "ben")
    joined = ben.post(f"/invitations/{mailed_token(session, invitation)}/accept")
    assert joined.json["status"] == "joined"
    assert (role_of(ben, team), role_of(ben, other)) == ("member", "member")
    assert session.get_one(User, ben.id).email_verified_at is not None


def test_another_account_cannot_accept_with_the_token(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    charlie = opens_account(app, session, "charlie")
    for answer in ("accept", "decline"):
        problem = assert_problem(
            charlie.post(f"/invitations/{mailed_token(session, invitation)}/{answer}"), 409
        )
        assert "another address" in problem["detail"]
    assert_problem(charlie.post(f"/me/invitations/{invitation}/accept"), 404)
    assert role_of(charlie, team) is None
    assert status_of(session, invitation) == "pending"


def test_a_token_is_of_use_to_an_account_that_has_proved_the_address_also_without_logging_in(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    ben = opens_account(app, session, "ben")
    invitation = invited(ann, team, "ben@example.org")
    assert by_token(app, mailed_token(session, invitation), "accept").json["status"] == "joined"
    assert role_of(ben, team) == "member"


def test_a_changed_address_does_not_carry_invitations_along(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    accepted = invited(ann, team, "old@example.org")
    by_token(app, mailed_token(session, accepted), "accept")
    ben = person(app, "ben")
    proves(session, ben)
    assert role_of(ben, team) is None
    session.execute(update(User).where(User.id == ben.id).values(email="new@example.org"))
    session.commit()
    proves(session, ben)
    assert role_of(ben, team) is None
    assert status_of(session, accepted) == "accepted"


@pytest.mark.parametrize("token", ["x", "mlt_" + "A" * 43, "a" * 5000, "%00"])
def test_what_is_no_token_finds_nothing(app: Flask, ann: Person, team: str, token: str) -> None:
    invited(ann, team, "ben@example.org")
    for method, path in (("GET", ""), ("POST", "/accept"), ("POST", "/decline")):
        assert_problem(app.test_client().open(f"{API}/invitations/{token}{path}", method=method), 404)


def test_a_bad_login_is_not_taken_for_none(app: Flask, ann: Person, team: str, session: Session) -> None:
    token = mailed_token(session, invited(ann, team, "ben@example.org"))
    headers = {"Authorization": "Bearer nonsense"}
    assert_problem(app.test_client().post(f"{API}/invitations/{token}/accept", headers=headers), 401)
