"""How long to wait before attempt n: exponential, capped, spread by jitter, within a budget.

The jitter only shortens a pause: the cap stays a cap, and targets that failed together do not come back
together (M. Brooker, "Exponential Backoff And Jitter", 2015).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from alertops.escalation.flow import RetryPolicy


def pause_before(policy: RetryPolicy, attempt: int, jitter: float) -> timedelta:
    """The pause between the failure of attempt - 1 and `attempt` (2 or more); jitter is in [0, 1)."""
    if attempt < 2:
        raise ValueError("the first attempt waits for nothing")
    # At most 20 attempts and a factor of at most 10: the largest power is 10**18, which a float holds.
    exponential = policy.backoff_seconds * policy.backoff_factor ** (attempt - 2)
    capped = min(exponential, policy.max_backoff_seconds)
    return timedelta(seconds=capped * (1 - policy.jitter * jitter))


def retry_due_at(
    policy: RetryPolicy,
    attempt: int,
    jitter: float,
    *,
    began_at: datetime,
    now: datetime,
    not_before_seconds: float = 0.0,
) -> datetime | None:
    """When `attempt` (2 or more) is due if the one before it failed now; None when there is not to be one.

    `began_at` is when the first attempt was due: the budget counts from there. A pause that the receiver asks
    for is granted, up to the policy's longest one.
    """
    if attempt > policy.max_attempts:
        return None
    asked = timedelta(seconds=min(not_before_seconds, policy.max_backoff_seconds))
    due_at = now + max(pause_before(policy, attempt, jitter), asked)
    if policy.budget_seconds is not None and due_at > began_at + timedelta(seconds=policy.budget_seconds):
        return None
    return due_at
