"""How long to wait before attempt n: exponential, capped, spread by jitter.

The jitter only shortens a pause, and by a fifth at most: the cap stays a cap, and targets that failed
together do not come back together (M. Brooker, "Exponential Backoff And Jitter", 2015).
"""

from __future__ import annotations

from datetime import timedelta

from alertops.escalation.flow import RetryPolicy

JITTER_SHARE = 0.2


def pause_before(policy: RetryPolicy, attempt: int, jitter: float) -> timedelta:
    """The pause between the failure of attempt - 1 and `attempt` (2 or more); jitter is in [0, 1)."""
    if attempt < 2:
        raise ValueError("the first attempt waits for nothing")
    # At most 20 attempts and a factor of at most 10: the largest power is 10**18, which a float holds.
    exponential = policy.backoff_seconds * policy.backoff_factor ** (attempt - 2)
    capped = min(exponential, policy.max_backoff_seconds)
    return timedelta(seconds=capped * (1 - JITTER_SHARE * jitter))
