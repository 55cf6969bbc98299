"""Pauses between attempts grow, stay under their cap, and are spread by jitter only downwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.backoff import pause_before, retry_due_at
from alertops.escalation.flow import MAX_ATTEMPTS, RetryPolicy
from tests.unit.test_flow import policies

attempts = st.integers(2, MAX_ATTEMPTS)
jitters = st.floats(0, 1, exclude_max=True)
MICROSECOND = timedelta(microseconds=1)


@given(policies, attempts, jitters)
def test_a_pause_is_never_longer_than_the_cap_and_never_negative(
    policy: RetryPolicy, attempt: int, jitter: float
) -> None:
    assert timedelta(0) <= pause_before(policy, attempt, jitter)
    assert pause_before(policy, attempt, jitter) <= timedelta(seconds=policy.max_backoff_seconds)


@given(policies, attempts, jitters)
def test_jitter_takes_at_most_its_share_off_a_pause_and_adds_nothing(
    policy: RetryPolicy, attempt: int, jitter: float
) -> None:
    full = pause_before(policy, attempt, 0)
    pause = pause_before(policy, attempt, jitter)
    assert full * (1 - policy.jitter) - MICROSECOND <= pause <= full


@given(policies, st.integers(2, MAX_ATTEMPTS - 1), jitters)
def test_a_later_pause_is_never_shorter_at_the_same_jitter(
    policy: RetryPolicy, attempt: int, jitter: float
) -> None:
    assert pause_before(policy, attempt, jitter) <= pause_before(policy, attempt + 1, jitter)


@given(policies, st.integers(-1, 1), jitters)
def test_there_is_no_pause_before_the_first_attempt(policy: RetryPolicy, attempt: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="first attempt"):
        pause_before(policy, attempt, jitter)


@given(policies, attempts, jitters, st.floats(0, 10**6))
def test_a_pause_that_is_asked_for_lengthens_ours_up_to_the_cap(
    policy: RetryPolicy, attempt: int, jitter: float, asked: float
) -> None:
    policy = replace(policy, budget_seconds=None, max_attempts=MAX_ATTEMPTS)
    now = datetime(2024, 2, 28, 23, 30, tzinfo=UTC)
    due_at = retry_due_at(policy, attempt, jitter, began_at=now, now=now, not_before_seconds=asked)
    assert due_at is not None
    ours = pause_before(policy, attempt, jitter)
    assert due_at - now == max(ours, timedelta(seconds=min(asked, policy.max_backoff_seconds)))


def test_pauses_double_up_to_the_cap_and_full_jitter_takes_a_fifth() -> None:
    policy = RetryPolicy(max_attempts=6, backoff_seconds=10, backoff_factor=2.0, max_backoff_seconds=60)
    pauses = [pause_before(policy, attempt, 0).total_seconds() for attempt in range(2, 7)]
    assert pauses == [10, 20, 40, 60, 60]
    assert pause_before(policy, 3, 0.5).total_seconds() == pytest.approx(18)


@given(policies, attempts, jitters, st.timedeltas(timedelta(0), timedelta(days=8)))
def test_no_attempt_is_made_beyond_the_last_one_or_the_budget_and_every_other_is(
    policy: RetryPolicy, attempt: int, jitter: float, so_far: timedelta
) -> None:
    began_at = datetime(2024, 2, 28, 23, 30, tzinfo=UTC)
    now = began_at + so_far
    due_at = retry_due_at(policy, attempt, jitter, began_at=began_at, now=now)
    would_be_due = now + pause_before(policy, attempt, jitter)
    budget = policy.budget_seconds
    in_budget = budget is None or would_be_due <= began_at + timedelta(seconds=budget)
    assert due_at == (would_be_due if attempt <= policy.max_attempts and in_budget else None)
