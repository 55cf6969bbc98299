"""Refreshes, logouts and logins that meet at one session: whoever comes second sees what the first did."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import AuthenticationError
from alertops.models import LoginSession, User
from alertops.services.access.authenticate import authenticate
from alertops.services.accounts.end_sessions import end_all_sessions, end_session
from alertops.services.accounts.open_session import Client, OpenSession, open_session
from alertops.services.accounts.passwords import hash_password
from alertops.services.accounts.refresh_session import refresh_session
from alertops.services.accounts.refresh_token import RefreshToken
from tests.integration.world import Queue

Sessions = sessionmaker[Session]
MONTH = timedelta(days=30)


class Refreshing:
    """A session, and what may race for its row. `at` is the token that is good now."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        with sessions() as session:
            user = User(email="ann@example.org", name="Ann", password_hash="cannot log in")
            session.add(user)
            session.commit()
            self.user_id = user.id
            self.opened = open_session(session, user.id, Client(), MONTH)

    def queue(self) -> Queue:
        row = select(LoginSession).where(LoginSession.id == self.opened.id).with_for_update()
        return Queue(self.sessions, lambda holder: holder.execute(row).all())

    def refresh(self, session: Session) -> OpenSession | None:
        try:
            return refresh_session(session, self.opened.refresh_token, Client(), MONTH)
        except AuthenticationError:
            return None

    def logout(self, session: Session) -> bool:
        return end_session(session, self.user_id, self.opened.id)

    def rows(self) -> list[LoginSession]:
        with self.sessions() as session:
            return list(session.scalars(select(LoginSession)))


@pytest.fixture
def refreshing(sessions: Sessions) -> Refreshing:
    return Refreshing(sessions)


def test_refreshes_at_once_with_one_token_get_one_successor(refreshing: Refreshing) -> None:
    with refreshing.queue() as queue:
        futures = [queue.submit(refreshing.refresh) for _ in range(8)]
    answers = [future.result() for future in futures]
    successors = {answer.refresh_token.as_text() for answer in answers if answer is not None}
    assert len(successors) == 1
    assert None not in answers
    (row,) = refreshing.rows()
    token = RefreshToken.parse(successors.pop())
    assert token is not None
    assert row.current_hash == token.secret_hash


def test_a_logout_before_a_refresh_leaves_the_refresh_nothing(refreshing: Refreshing) -> None:
    with refreshing.queue() as queue:
        logout = queue.submit(refreshing.logout)
        refresh = queue.submit(refreshing.refresh)
    assert logout.result()
    assert refresh.result() is None
    assert refreshing.rows() == []


def test_a_logout_after_a_refresh_ends_the_successor_too(refreshing: Refreshing) -> None:
    with refreshing.queue() as queue:
        refresh = queue.submit(refreshing.refresh)
        logout = queue.submit(refreshing.logout)
    assert refresh.result() is not None
    assert logout.result()
    assert refreshing.rows() == []


def test_a_spent_token_that_meets_a_logout_is_refused_like_any(refreshing: Refreshing) -> None:
    with refreshing.sessions() as session:
        successor = refresh_session(session, refreshing.opened.refresh_token, Client(), MONTH)
        refresh_session(session, successor.refresh_token, Client(), MONTH)
    with refreshing.queue() as queue:
        logout = queue.submit(refreshing.logout)
        reuse = queue.submit(refreshing.refresh)
    assert logout.result()
    assert reuse.result() is None


def test_refreshes_and_logouts_in_any_order_leave_nothing(refreshing: Refreshing) -> None:
    """No forced order: whichever way they meet, after the logout there is no session."""
    for _ in range(20):
        with refreshing.sessions() as session:
            refreshing.opened = open_session(session, refreshing.user_id, Client(), MONTH)
        barrier = Barrier(3)

        def at_once(act: Callable[[Session], object], barrier: Barrier = barrier) -> None:
            with refreshing.sessions() as session:
                barrier.wait()
                act(session)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(at_once, (refreshing.refresh, refreshing.refresh, refreshing.logout)))
        assert refreshing.opened.id not in {row.id for row in refreshing.rows()}


def test_a_login_that_meets_a_password_change_does_not_survive_it(
    session: Session, sessions: Sessions
) -> None:
    """The login verified the old password; the change commits before the login's session is opened."""
    session.add(User(email="ann@example.org", name="Ann", password_hash=hash_password("the old password")))
    session.commit()

    def change(holder: Session) -> None:
        user_id = holder.scalars(select(User.id)).one()
        holder.execute(update(User).values(password_hash=hash_password("the new password")))
        end_all_sessions(holder, user_id)

    def log_in(own: Session) -> str:
        try:
            user_id = authenticate(own, email="ann@example.org", password="the old password")
        except AuthenticationError:
            return "refused"
        open_session(own, user_id, Client(), MONTH)
        return "logged in"

    with Queue(sessions, change) as queue:
        login = queue.submit(log_in)
        queue.holder.commit()
        assert login.result() == "refused"
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0
