"""An address is proved by who has the account and the mail, a password reset by who has the mail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.models import Letter, LoginSession, User
from api.extensions import db
from tests.integration.api_client import API, Person, assert_problem, person
from tests.integration.conftest import RecordingPublisher
from tests.integration.inviting import invited, mailed_token, role_of
from tests.integration.posting import PostOffice, token_in

PASSWORD = "correct horse battery staple"
OTHER = "another password altogether"

# As good as any for what is tested here, and a hundred times faster.
_quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertops.services.accounts.passwords._hasher", _quick)
    monkeypatch.setattr("alertops.services.accounts.passwords._NOBODYS_HASH", _quick.hash("nobody"))


@pytest.fixture
def office(session: Session) -> PostOffice:
    return PostOffice(session)


def public(app: Flask, path: str, body: dict[str, Any]) -> TestResponse:
    return app.test_client().post(f"{API}{path}", json=body)


def register(app: Flask, email: str = "ben@example.org", password: str = PASSWORD, **more: str) -> int:
    body = {"email": email, "name": "Ben", "password": password, **more}
    return public(app, "/auth/register", body).status_code


def login(app: Flask, email: str = "ben@example.org", password: str = PASSWORD) -> Person:
    answer = public(app, "/auth/login", {"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    client, tokens = app.test_client(), answer.json or {}
    me = client.get(f"{API}/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json or {}
    return Person(client, UUID(me["id"]), tokens["access_token"], UUID(int=0), tokens["refresh_token"])


def is_verified(somebody: Person) -> bool:
    return bool((somebody.get("/me").json or {})["email_verified"])


def verify(somebody: Person, token: str) -> TestResponse:
    return somebody.post("/auth/verify-email", {"token": token})


# ---- proving the address


def test_who_registers_is_mailed_a_token_that_proves_the_address_once(app: Flask, office: PostOffice) -> None:
    register(app)
    (mail,) = office.deliver()
    assert mail["To"] == "ben@example.org"
    ben = login(app)
    assert not is_verified(ben)
    assert verify(ben, token_in(mail)).status_code == 204
    assert is_verified(ben)
    problem = assert_problem(verify(ben, token_in(mail)), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/token"]


def test_the_token_alone_proves_nothing_and_nor_does_another_account_with_it(
    app: Flask, office: PostOffice
) -> None:
    register(app)
    (mail,) = office.deliver()
    assert public(app, "/auth/verify-email", {"token": token_in(mail)}).status_code == 401
    charlie = person(app, "charlie")
    assert_problem(verify(charlie, token_in(mail)), 422)
    assert not is_verified(charlie)
    assert not is_verified(login(app))


def test_proving_the_address_joins_what_was_accepted_in_the_same_step(
    app: Flask, office: PostOffice, session: Session
) -> None:
    ann = person(app, "ann")
    team = str(ann.make("/teams", {"name": "Operations"})["id"])
    token = mailed_token(session, invited(ann, team, "BEN@example.org"))
    assert app.test_client().post(f"{API}/invitations/{token}/accept").status_code == 200
    register(app)
    mails = {str(mail["Subject"]): mail for mail in office.deliver()}
    ben = login(app)
    assert role_of(ben, team) is None
    verify(ben, token_in(mails["Please confirm your e-mail address"]))
    assert role_of(ben, team) == "member"


def test_another_token_can_be_asked_for_until_the_address_is_proved(app: Flask, office: PostOffice) -> None:
    register(app)
    (first,) = office.deliver()
    ben = login(app)
    assert ben.post("/auth/verify-email/resend").status_code == 202
    (second,) = office.deliver()
    assert verify(ben, token_in(second)).status_code == 204
    assert_problem(verify(ben, token_in(first)), 422)
    assert_problem(ben.post("/auth/verify-email/resend"), 409)


# ---- registering


def test_registering_answers_the_same_for_an_address_that_has_an_account(
    app: Flask, office: PostOffice
) -> None:
    body = {"email": "ben@example.org", "name": "Ben", "password": PASSWORD}
    first = public(app, "/auth/register", body)
    office.deliver()
    again = public(app, "/auth/register", {**body, "password": OTHER})
    assert (again.status_code, again.json) == (first.status_code, first.json)
    different = {"X-Request-Id", "Date"}
    assert {k: v for k, v in again.headers if k not in different} == {
        k: v for k, v in first.headers if k not in different
    }
    (mail,) = office.deliver()
    assert mail["Subject"] == "You have an account already"
    login(app)
    assert public(app, "/auth/login", {"email": "ben@example.org", "password": OTHER}).status_code == 401


def test_registering_with_the_token_of_an_invitation_proves_the_address_and_joins(
    app: Flask, office: PostOffice, session: Session
) -> None:
    ann = person(app, "ann")
    team = str(ann.make("/teams", {"name": "Operations"})["id"])
    token = mailed_token(session, invited(ann, team, "ben@example.org", "admin"))
    assert register(app, invitation_token=token) == 202
    ben = login(app)
    assert is_verified(ben)
    assert role_of(ben, team) == "admin"


def test_who_has_the_invitation_gets_the_account_that_somebody_else_opened_in_their_name(
    app: Flask, office: PostOffice, session: Session
) -> None:
    ann = person(app, "ann")
    team = str(ann.make("/teams", {"name": "Operations"})["id"])
    register(app, password="the password of a squatter")
    squatter = login(app, password="the password of a squatter")
    token = mailed_token(session, invited(ann, team, "ben@example.org"))
    assert register(app, invitation_token=token) == 202
    assert_problem(squatter.get("/me"), 401)
    ben = login(app)
    assert role_of(ben, team) == "member"
    login_again = public(
        app, "/auth/login", {"email": "ben@example.org", "password": "the password of a squatter"}
    )
    assert login_again.status_code == 401


def test_an_invitation_gives_nobody_an_account_that_has_proved_its_address(
    app: Flask, office: PostOffice, session: Session
) -> None:
    ann = person(app, "ann")
    team = str(ann.make("/teams", {"name": "Operations"})["id"])
    register(app)
    (mail,) = office.deliver()
    ben = login(app)
    verify(ben, token_in(mail))
    token = mailed_token(session, invited(ann, team, "ben@example.org"))
    assert register(app, password=OTHER, invitation_token=token) == 202
    assert is_verified(ben)
    assert public(app, "/auth/login", {"email": "ben@example.org", "password": OTHER}).status_code == 401


@pytest.mark.parametrize("bad", ["of another address", "revoked", "nonsense"])
def test_a_bad_invitation_token_registers_nobody(
    app: Flask, office: PostOffice, session: Session, bad: str
) -> None:
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    email = "else@example.org" if bad == "of another address" else "ben@example.org"
    invitation = invited(ann, team, email)
    token = "mlt_nonsense" if bad == "nonsense" else mailed_token(session, invitation)
    if bad == "revoked":
        ann.call("DELETE", f"/teams/{team}/invitations/{invitation}")
    body = {"email": "ben@example.org", "name": "Ben", "password": PASSWORD, "invitation_token": token}
    problem = assert_problem(public(app, "/auth/register", body), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/invitation_token"]
    session.rollback()
    assert session.scalar(select(func.count()).where(User.email == "ben@example.org")) == 0


# ---- another address


def test_another_address_is_taken_when_its_token_comes_back(app: Flask, office: PostOffice) -> None:
    register(app)
    office.deliver()
    ben = login(app)
    assert ben.post("/me/email", {"email": "new@example.org", "password": PASSWORD}).status_code == 202
    assert (ben.get("/me").json or {})["email"] == "ben@example.org"
    (mail,) = office.deliver()
    assert mail["To"] == "new@example.org"
    assert verify(ben, token_in(mail)).status_code == 204
    assert (ben.get("/me").json or {})["email"] == "new@example.org"
    assert is_verified(ben)
    login(app, "new@example.org")


def test_an_address_of_somebody_else_is_not_told_to_be_so(app: Flask, office: PostOffice) -> None:
    person(app, "ann")
    register(app)
    office.deliver()
    ben = login(app)
    free = ben.post("/me/email", {"email": "free@example.org", "password": PASSWORD})
    taken = ben.post("/me/email", {"email": "ANN@example.org", "password": PASSWORD})
    assert (free.status_code, free.json) == (taken.status_code, taken.json) == (202, {})
    subjects = [str(mail["Subject"]) for mail in office.deliver()]
    assert subjects == ["Please confirm your e-mail address", "You have an account already"]


def test_an_address_that_somebody_took_meanwhile_is_refused(app: Flask, office: PostOffice) -> None:
    register(app)
    office.deliver()
    ben = login(app)
    ben.post("/me/email", {"email": "ann@example.org", "password": PASSWORD})
    (mail,) = office.deliver()
    person(app, "ann")
    assert_problem(verify(ben, token_in(mail)), 409)
    assert (ben.get("/me").json or {})["email"] == "ben@example.org"


def test_another_address_takes_the_password(app: Flask, office: PostOffice) -> None:
    register(app)
    ben = login(app)
    office.deliver()
    problem = assert_problem(ben.post("/me/email", {"email": "new@example.org", "password": OTHER}), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/password"]
    assert office.deliver() == []


# ---- another password


def ask_to_reset(app: Flask, email: str = "ben@example.org") -> TestResponse:
    return public(app, "/auth/password-reset", {"email": email})


def test_who_reads_the_mail_chooses_another_password_and_is_logged_out_everywhere(
    app: Flask, office: PostOffice, session: Session
) -> None:
    register(app)
    office.deliver()
    before = login(app)
    assert ask_to_reset(app).status_code == 202
    (mail,) = office.deliver()
    confirm = {"token": token_in(mail), "new_password": OTHER}
    assert public(app, "/auth/password-reset/confirm", confirm).status_code == 204
    assert_problem(before.get("/me"), 401)
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0
    assert is_verified(login(app, password=OTHER))
    problem = assert_problem(public(app, "/auth/password-reset/confirm", confirm), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/token"]


def test_a_reset_is_good_for_an_hour(app: Flask, office: PostOffice) -> None:
    register(app)
    ask_to_reset(app)
    mails = office.deliver()
    office.pass_time(3601)
    confirm = {"token": token_in(mails[-1]), "new_password": OTHER}
    assert_problem(public(app, "/auth/password-reset/confirm", confirm), 422)


def test_a_reset_goes_with_the_address_that_it_was_asked_for(app: Flask, office: PostOffice) -> None:
    register(app)
    office.deliver()
    ask_to_reset(app)
    (reset,) = office.deliver()
    ben = login(app)
    ben.post("/me/email", {"email": "new@example.org", "password": PASSWORD})
    (mail,) = office.deliver()
    verify(ben, token_in(mail))
    confirm = {"token": token_in(reset), "new_password": OTHER}
    assert_problem(public(app, "/auth/password-reset/confirm", confirm), 422)
    login(app, "new@example.org")


def test_asking_for_a_reset_is_the_same_work_and_answer_without_an_account(
    app: Flask, office: PostOffice, publisher: RecordingPublisher, session: Session
) -> None:
    register(app)
    office.deliver()
    seen: list[tuple[int, Any, list[str], int]] = []
    for email in ("ben@example.org", "nobody@example.org"):
        statements: list[str] = []

        def count(_c: object, _k: object, statement: str, *_: object) -> None:
            statements.append(statement.split("FROM", maxsplit=1)[0][:60])  # noqa: B023  used within this round

        published = len(publisher.messages)
        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", count)
        answer = ask_to_reset(app, email)
        event.remove(engine, "before_cursor_execute", count)
        seen.append((answer.status_code, answer.json, statements, len(publisher.messages) - published))
    assert seen[0] == seen[1]
    assert seen[0][3] == 1
    assert [mail["To"] for mail in office.deliver()] == ["ben@example.org"]
    assert session.scalar(select(Letter.status).where(Letter.address == "nobody@example.org")) == "cancelled"


def test_a_mailbox_cannot_be_filled_with_resets_and_an_unknown_one_is_counted_as_well(
    app: Flask, office: PostOffice
) -> None:
    register(app)
    for email in ("ben@example.org", "nobody@example.org"):
        answers = [ask_to_reset(app, email).status_code for _ in range(8)]
        assert answers[0] == 202
        assert answers[-1] == 429
    assert len(office.deliver()) <= 5
