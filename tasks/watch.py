"""Sends canaries, and ends a worker that hears none of them.

A thread of its own, as nothing else in such a worker can be relied upon: neither the event loop nor the pool.
"""

from __future__ import annotations

import os
import time
from typing import Any, cast

import structlog
from celery.concurrency.thread import TaskPool
from celery.worker import state

from alertops.errors import BrokerUnavailableError
from alertops.services.dispatch import Message, Publisher
from tasks.hearing import Hearing
from tasks.queues import has_few_places

CANARY = "alertops.canary"
# EX_SOFTWARE of sysexits.h: not 0, so that a supervisor which restarts on failure alone does so.
EXIT_CODE = 70
# With every thread busy a canary waits its turn. No task of ours takes this long.
STUCK_SECONDS = 600.0

log = structlog.get_logger(__name__)


class Watch:
    """Sends canaries, and ends the process when they are not heard. `leave_seconds` bounds its leaving."""

    def __init__(self, hearing: Hearing, pool: TaskPool, publisher: Publisher, leave_seconds: float) -> None:
        self._hearing = hearing
        self._pool = pool
        self._publisher = publisher
        self._leave_seconds = leave_seconds

    def run(self, interval: float) -> None:
        """Until the worker is told to leave, or is found deaf."""
        while not _told_to_leave():
            if deaf := self._deaf_queues():
                self._leave(deaf)
                return
            for queue in self._hearing.queues:
                self._send(queue)
            time.sleep(interval)

    def _deaf_queues(self) -> list[str]:
        busy = len(state.active_requests) >= self._pool.limit
        return [
            heard.queue
            for heard in self._hearing.report()
            if heard.deaf and heard.seconds_ago >= self._explained_seconds(heard.queue, busy=busy)
        ]

    def _explained_seconds(self, queue: str, *, busy: bool) -> float:
        """For how long silence may mean that all threads, or all places of the queue, are taken."""
        if busy:
            return STUCK_SECONDS
        return self._leave_seconds if has_few_places(queue) else 0.0

    def _send(self, queue: str) -> None:
        at = self._hearing.now()
        try:
            [taken] = self._publisher.publish([Message(CANARY, (), queue, 0.0)])
        except BrokerUnavailableError:
            # Which the consumer notices, and tells, by itself.
            return
        except Exception:
            # Whatever it is, a worker that nobody watches any more would be worse.
            log.exception("canary_failed", queue=queue, next="the next canary is tried in its time")
            return
        if taken:
            self._hearing.sent(queue, at)

    def _leave(self, deaf: list[str]) -> None:
        log.critical("deaf", queues=deaf, next=f"this worker ends with code {EXIT_CODE}, to be started again")
        cast(Any, state).should_stop = EXIT_CODE  # which Celery's stubs take for None for ever
        time.sleep(self._leave_seconds)
        # An event loop that stands still never looks at `should_stop`.
        os._exit(EXIT_CODE)


def _told_to_leave() -> bool:
    """Celery keeps the exit code there, and 0, that of a warm shutdown, is one."""
    told: Any = state.should_stop
    return told is not None and told is not False
