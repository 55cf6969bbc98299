"""Counting tries: exactly, also when they come at once, and in a table that does not grow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.errors import ThrottledError
from alertops.models import Throttle
from alertops.services.accounts.throttle import Count, Limit, give_back, take

MINUTE = timedelta(minutes=1)
THREE = Limit("three", burst=3, interval=MINUTE)


def pass_time(session: Session, by: timedelta) -> None:
    session.execute(update(Throttle).values(clear_at=Throttle.clear_at - by))
    session.commit()


def rows(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Throttle)) or 0


def three(name: str = "x") -> Count:
    return Count.of(b"secret", THREE, name)


def test_a_burst_is_let_through_and_then_one_for_each_interval(session: Session) -> None:
    for _ in range(3):
        take(session, [three()])
    with pytest.raises(ThrottledError) as caught:
        take(session, [three()])
    assert 58 <= caught.value.retry_after <= 60
    take(session, [three("another")])
    pass_time(session, MINUTE)
    take(session, [three()])
    with pytest.raises(ThrottledError):
        take(session, [three()])
    pass_time(session, 10 * MINUTE)
    for _ in range(3):
        take(session, [three()])


def test_what_is_refused_is_not_counted_and_makes_no_wait_longer(session: Session) -> None:
    for _ in range(3):
        take(session, [three()])
    for _ in range(20):
        with pytest.raises(ThrottledError) as caught:
            take(session, [three("first of two"), three()])
        assert caught.value.retry_after <= 60
    for _ in range(3):
        take(session, [three("first of two")])


def test_what_is_given_back_can_be_taken_again(session: Session) -> None:
    for _ in range(3):
        take(session, [three()])
    give_back(session, [three(), three("nobody took from this")])
    session.commit()
    take(session, [three()])
    with pytest.raises(ThrottledError):
        take(session, [three()])


def test_those_who_come_at_once_are_counted_exactly(sessions: sessionmaker[Session]) -> None:
    def attempt(_: int) -> bool:
        with sessions() as session:
            try:
                take(session, [three()])
            except ThrottledError:
                return False
            return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(60))) == 3


def test_rows_that_say_nothing_are_swept_by_those_who_come_later(session: Session) -> None:
    for number in range(100):
        take(session, [three(str(number))])
    assert rows(session) == 100
    pass_time(session, MINUTE)
    for number in range(10):
        take(session, [three(f"later {number}")])
    assert rows(session) == 10


def test_keys_tell_neither_subject_nor_limit_without_the_secret() -> None:
    assert Count.of(b"a", THREE, "x").key != Count.of(b"b", THREE, "x").key
    assert Count.of(b"a", THREE, "x", "yz").key != Count.of(b"a", THREE, "xy", "z").key
    assert len(Count.of(b"a", THREE, "x").key) == 32
