"""Try a transaction again when the database was away, or chose it as the victim of a deadlock.

Every transaction of ours can be repeated: its guards find what an earlier try has done. When the answer
to a COMMIT was lost, the repetition finds nothing to do, and what should have been dispatched after the
commit is left to recovery.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

T = TypeVar("T")

SERIALIZATION_FAILURE = "40001"
DEADLOCK_DETECTED = "40P01"

log = structlog.get_logger(__name__)


def persistently(session: Session, patience_seconds: float, work: Callable[[], T]) -> T:
    """Run `work`, which must begin and end its own transaction, until it gets through.

    After `patience_seconds` the last error is raised. Errors that trying again cannot mend are raised
    at once.
    """

    def before_sleep(state: RetryCallState) -> None:
        session.rollback()
        error = state.outcome.exception() if state.outcome else None
        log.warning("transaction_retried", attempt=state.attempt_number, error=type(error).__name__)

    retrying = Retrying(
        retry=retry_if_exception(may_pass),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(patience_seconds),
        before_sleep=before_sleep,
        reraise=True,
    )
    return retrying(work)


def may_pass(error: BaseException) -> bool:
    """Whether the same transaction, begun anew, may succeed."""
    if isinstance(error, PoolTimeoutError | OperationalError | InterfaceError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "pgcode", None)
    return error.connection_invalidated or code in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)
