"""Invitations in each odd case, and at the same moment: one answer each, and a considered one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import ConflictError
from alertops.models import AuditEntry, Invitation, Letter, Membership, Team, User
from alertops.services.accounts.open_session import Client
from alertops.services.invitations.answer_invitation import Answerer, accept_invitation, decline_invitation
from tests.integration.api_client import API, Person, assert_problem, person, row_counts
from tests.integration.inviting import (
    by_token,
    invited,
    mailed_token,
    opens_account,
    proves,
    role_of,
    status_of,
)
from tests.integration.world import Queue


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def team(ann: Person) -> str:
    return str(ann.make("/teams", {"name": "Operations"})["id"])


# ---- each case has a considered answer


def test_a_member_cannot_be_invited_not_even_oneself(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    before = row_counts(session)
    body = {"email": "ANN@example.org", "role": "viewer"}
    problem = assert_problem(ann.post(f"/teams/{team}/invitations", body), 409)
    assert problem["current"] == {"user_id": str(ann.id), "role": "owner"}
    assert {**row_counts(session), "throttles": 0} == {**before, "throttles": 0}


def test_a_pending_invitee_is_not_invited_twice(app: Flask, ann: Person, team: str, session: Session) -> None:
    invitation = invited(ann, team, "ben@example.org")
    body = {"email": "BEN@example.org", "role": "admin"}
    problem = assert_problem(ann.post(f"/teams/{team}/invitations", body), 409)
    assert problem["current"] == {"invitation_id": invitation, "status": "pending", "role": "member"}


@pytest.mark.parametrize("ending", ["declined", "revoked", "expired"])
def test_after_an_invitation_has_ended_the_address_can_be_invited_anew(
    app: Flask, ann: Person, team: str, session: Session, ending: str
) -> None:
    first = invited(ann, team, "ben@example.org")
    if ending == "declined":
        by_token(app, mailed_token(session, first), "decline")
    elif ending == "revoked":
        ann.call("DELETE", f"/teams/{team}/invitations/{first}")
    else:
        expire(session, first)
    assert invited(ann, team, "ben@example.org") != first
    assert status_of(session, first) == ending


def expire(session: Session, invitation_id: str) -> None:
    an_hour_ago = func.clock_timestamp() - timedelta(hours=1)
    session.execute(
        update(Invitation).where(Invitation.id == UUID(invitation_id)).values(expires_at=an_hour_ago)
    )
    session.commit()


def test_an_expired_invitation_is_refused_until_it_is_sent_again(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    token = mailed_token(session, invitation)
    expire(session, invitation)
    problem = assert_problem(by_token(app, token, "accept"), 409)
    assert problem["current"] == {"status": "expired"}
    assert ann.post(f"/teams/{team}/invitations/{invitation}/resend").status_code == 200
    assert by_token(app, mailed_token(session, invitation), "accept").json["status"] == "accepted"


def test_what_was_accepted_is_kept_for_longer_than_the_invitation_would_have_lasted(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    by_token(app, mailed_token(session, invitation), "accept")
    expire(session, invitation)
    assert role_of(opens_account(app, session, "ben"), team) == "member"


def test_a_revoked_invitation_is_over_also_for_who_had_accepted(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    token = mailed_token(session, invitation)
    by_token(app, token, "accept")
    for _ in range(2):
        revoked = ann.call("DELETE", f"/teams/{team}/invitations/{invitation}")
        assert (revoked.json or {})["status"] == "revoked"
    assert role_of(opens_account(app, session, "ben"), team) is None
    assert_problem(by_token(app, token, "accept"), 409)


def test_the_role_is_the_one_that_the_invitation_has_in_the_end(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org", "admin")
    by_token(app, mailed_token(session, invitation), "accept")
    lowered = ann.call("PATCH", f"/teams/{team}/invitations/{invitation}", {"role": "viewer"})
    assert (lowered.json or {})["role"] == "viewer"
    assert role_of(opens_account(app, session, "ben"), team) == "viewer"


def test_an_invitation_stands_when_who_sent_it_has_left(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    dora = person(app, "dora")
    session.add(Membership(team_id=UUID(team), user_id=dora.id, role="admin"))
    session.commit()
    invitation = invited(dora, team, "ben@example.org")
    session.execute(delete(User).where(User.id == dora.id))
    session.commit()
    shown = app.test_client().get(f"{API}/invitations/{mailed_token(session, invitation)}").json
    assert shown["inviter_name"] is None
    assert by_token(app, mailed_token(session, invitation), "accept").json["status"] == "accepted"
    assert role_of(opens_account(app, session, "ben"), team) == "member"


def test_who_became_a_member_by_another_way_keeps_their_role(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org", "viewer")
    by_token(app, mailed_token(session, invitation), "accept")
    ben = person(app, "ben")
    session.add(Membership(team_id=UUID(team), user_id=ben.id, role="admin"))
    session.commit()
    proves(session, ben)
    assert role_of(ben, team) == "admin"
    assert status_of(session, invitation) == "joined"


@pytest.mark.parametrize("role", ["owner", "boss", "", None, 3])
def test_a_role_that_cannot_be_given_is_named(ann: Person, team: str, session: Session, role: Any) -> None:
    before = row_counts(session)
    body = {"email": "ben@example.org", "role": role}
    problem = assert_problem(ann.post(f"/teams/{team}/invitations", body), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/role"]
    assert row_counts(session) == before


# ---- flooding, and what is told afterwards


def test_a_mailbox_cannot_be_flooded_with_invitations(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    answers = [ann.post(f"/teams/{team}/invitations/{invitation}/resend").status_code for _ in range(8)]
    assert 429 in answers
    assert session.scalar(select(func.count()).select_from(Letter)) == 1 + answers.count(200)
    # Nor from another team.
    other = ann.make("/teams", {"name": "Other"})["id"]
    body = {"email": "BEN@example.org", "role": "member"}
    assert_problem(ann.post(f"/teams/{other}/invitations", body), 429)


def test_the_team_sees_how_the_mail_fared(ann: Person, team: str, session: Session) -> None:
    invitation = invited(ann, team, "ben@example.org")
    session.execute(
        update(Letter).values(
            status="failed", detail="550 no such mailbox", finished_at=func.clock_timestamp()
        )
    )
    session.commit()
    for shown in (
        ann.get(f"/teams/{team}/invitations/{invitation}").json,
        (ann.get(f"/teams/{team}/invitations").json or {})["items"][0],
    ):
        assert shown["letter"]["status"] == "failed"
        assert shown["letter"]["detail"] == "550 no such mailbox"


def test_what_happened_is_in_the_audit_log(app: Flask, ann: Person, team: str, session: Session) -> None:
    invitation = invited(ann, team, "ben@example.org", "admin")
    ann.call("PATCH", f"/teams/{team}/invitations/{invitation}", {"role": "member"})
    by_token(app, mailed_token(session, invitation), "accept")
    ben = opens_account(app, session, "ben")
    told = session.execute(
        select(AuditEntry.action, AuditEntry.actor_kind, AuditEntry.actor_id)
        .where(AuditEntry.team_id == UUID(team), AuditEntry.action != "team.created")
        .order_by(AuditEntry.id)
    ).all()
    assert [tuple(row) for row in told] == [
        ("invitation.sent", "user", ann.id),
        ("invitation.changed", "user", ann.id),
        ("invitation.accepted", "invitee", UUID(invitation)),
        ("member.joined", "user", ben.id),
    ]


# ---- races


def test_of_two_hundred_who_accept_one_invitation_at_once_one_succeeds(
    app: Flask, ann: Person, team: str, session: Session
) -> None:
    ben = opens_account(app, session, "ben")
    token = mailed_token(session, invited(ann, team, "ben@example.org"))

    def accept(_: int) -> int:
        return int(by_token(app, token, "accept").status_code)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(accept, range(200)))
    assert (answers.count(200), answers.count(409)) == (1, 199)
    assert role_of(ben, team) == "member"
    joined = select(func.count()).where(AuditEntry.action == "member.joined")
    assert session.scalar(joined) == 1


Act = Callable[[Session, Invitation], None]


def accepting(session: Session, invitation: Invitation) -> None:
    accept_invitation(session, invitation, Answerer(None, has_token=True, client=Client()))


def declining(session: Session, invitation: Invitation) -> None:
    decline_invitation(session, invitation, Answerer(None, has_token=True, client=Client()))


@pytest.mark.parametrize(
    ("acts", "outcomes", "ends"),
    [
        pytest.param((accepting, accepting), [["done", "too late"]], "accepted", id="two yes"),
        pytest.param((declining, declining), [["done", "too late"]], "declined", id="two no"),
        # A yes that is only remembered can be taken back; a no cannot.
        pytest.param(
            (accepting, declining), [["done", "done"], ["done", "too late"]], "declined", id="yes and no"
        ),
    ],
)
def test_of_two_answers_at_once_one_is_the_first(  # noqa: PLR0917  fixtures and cases
    ann: Person,
    team: str,
    session: Session,
    sessions: sessionmaker[Session],
    acts: tuple[Act, Act],
    outcomes: list[list[str]],
    ends: str,
) -> None:
    id_ = UUID(invited(ann, team, "ben@example.org"))

    def act(what: Act) -> Callable[[Session], str]:
        def run(own: Session) -> str:
            try:
                what(own, own.get_one(Invitation, id_))
            except ConflictError:
                return "too late"
            return "done"

        return run

    def lock_team(own: Session) -> None:
        own.execute(select(Team.id).where(Team.id == UUID(team)).with_for_update())

    with Queue(sessions, lock_team) as queue:
        answers = [queue.submit(act(what)) for what in acts]
    assert sorted(answer.result() for answer in answers) in outcomes
    assert status_of(session, str(id_)) == ends


def test_what_is_revoked_while_it_is_taken_up_is_not_joined(
    app: Flask, ann: Person, team: str, session: Session, sessions: sessionmaker[Session]
) -> None:
    invitation = invited(ann, team, "ben@example.org")
    by_token(app, mailed_token(session, invitation), "accept")
    ben = person(app, "ben")

    def revoke(own: Session) -> None:
        own.execute(
            update(Invitation)
            .where(Invitation.id == UUID(invitation))
            .values(status="revoked", ended_at=func.clock_timestamp())
        )

    with Queue(sessions, revoke) as queue:
        taking_up = queue.submit(lambda own: proves(own, ben))
        queue.holder.commit()
    taking_up.result()
    assert role_of(ben, team) is None


def test_a_stranger_finds_no_invitation_of_the_team(app: Flask, ann: Person, team: str) -> None:
    invitation = invited(ann, team, "ben@example.org")
    charlie = person(app, "charlie")
    own = charlie.make("/teams", {"name": "Own"})["id"]
    # Under a team of one's own, another team's invitation is not found either.
    for where in (team, own, str(uuid4())):
        assert_problem(charlie.get(f"/teams/{where}/invitations/{invitation}"), 404)
