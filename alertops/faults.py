"""Named places of the protocol at which a test can kill, freeze or cut off the process.

Each lies where a crash leaves something half done: just before a commit, or between a commit and what
should follow it. Outside tests `reach` is an empty function. What arms it is the environment::

    ALERTOPS_FAULTS_ALLOWED=yes       without it a process refuses to start with the next one
    ALERTOPS_FAULT=after_claim:kill:1,after_open:cut:2
                                      point:action:times, for as many visits as `times` says
    ALERTOPS_FAULT_ONCE=/some/folder  counts visits for all processes together: each visit that was struck
                                      leaves a file `point.action.number` there, with the process id in
                                      it. Removing the file arms the fault again.

`docs/decisions/0011-fault-points.md` says why this is in the product, and not around it.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from alertops.errors import ConfigurationError

FAULT = "ALERTOPS_FAULT"
ALLOWED = "ALERTOPS_FAULTS_ALLOWED"
ONCE = "ALERTOPS_FAULT_ONCE"

log = structlog.get_logger(__name__)


class Point(StrEnum):
    """Every place, in the order of an alert's journey and then of recovery, and what a crash leaves there."""

    BEFORE_START = "before_start"  # the execution is inserted, and will never have been
    AFTER_START = "after_start"  # it is committed; nobody was woken, and the caller was not answered
    BEFORE_JOIN = "before_join"  # a repeated alert is counted, and will never have been
    AFTER_JOIN = "after_join"  # it is counted, and the caller was not answered

    BEFORE_PUBLISH = "before_publish"  # rows are committed; no wake-up has left for the broker
    AFTER_PUBLISH = "after_publish"  # the wake-ups have left; whether the broker has them is not known
    BEFORE_MARK = "before_mark"  # the broker has them; the rows do not say so
    AFTER_MARK = "after_mark"  # all is done, but the wake-up or request that led here is not answered

    BEFORE_FIRE = "before_fire"  # a step is fired, and will never have been
    AFTER_FIRE = "after_fire"  # it has fired; nobody was woken for its attempts, or for the next step

    BEFORE_TIMER = "before_timer"  # a timer did what it is for, and will never have
    AFTER_TIMER = "after_timer"  # it has; nobody was woken for what follows

    BEFORE_CLAIM = "before_claim"  # an attempt is claimed, and will never have been
    AFTER_CLAIM = "after_claim"  # the lease runs; the provider was not called
    AFTER_OPEN = "after_open"  # the provider listens; nothing was said that cannot be taken back
    BEFORE_TRANSMIT_MARK = "before_transmit_mark"  # about to be marked as perhaps sent; it is not
    AFTER_TRANSMIT_MARK = "after_transmit_mark"  # marked as perhaps sent, and not sent
    AFTER_TRANSMIT = "after_transmit"  # the provider has it, and nobody here knows
    BEFORE_OUTCOME = "before_outcome"  # the outcome is recorded, and will never have been
    AFTER_OUTCOME = "after_outcome"  # it is recorded; nobody was woken for what follows from it

    BEFORE_CLOSE = "before_close"  # an abandoned attempt is ended unsent, and will never have been
    AFTER_CLOSE = "after_close"  # it is ended; nobody was woken for what follows from it

    BEFORE_ANSWER = "before_answer"  # an acknowledge is applied, and will never have been
    AFTER_ANSWER = "after_answer"  # it is committed, and the person was not told

    AFTER_TELL = "after_tell"  # a subscriber has an event, and nobody here knows
    AFTER_TOLD = "after_told"  # it is recorded; nobody was woken for the next one of its line

    AFTER_EPOCH = "after_epoch"  # recovery has begun an epoch; the broker does not have its marker
    BEFORE_FILLED = "before_filled"  # all that waits was dispatched; the epoch does not say so
    BEFORE_UNLOCK = "before_unlock"  # recovery has done all; nobody else may run it yet


class Action(StrEnum):
    """What happens to the process there."""

    KILL = "kill"  # SIGKILL: nothing after the point happens, no handler runs
    STOP = "stop"  # SIGSTOP: all of its threads are frozen until somebody sends SIGCONT
    CUT = "cut"  # the network connection in use is dead; the other side has seen it end


class Socket(Protocol):
    """Anything with a socket beneath it: a socket, a database connection of psycopg2."""

    def fileno(self) -> int: ...


Line = Session | Socket


@dataclass(frozen=True)
class Fault:
    """What to do at a point, and at how many visits."""

    point: Point
    action: Action
    times: int

    def marker(self, number: int) -> str:
        """The name of the file that says that visit `number` was struck."""
        return f"{self.point}.{self.action}.{number}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `point:action:times`; `ValueError` says what is wrong with it."""
        point, action, times = text.strip().split(":")
        if int(times) < 1:
            raise ValueError(f"{times} times is never")
        return cls(Point(point), Action(action), int(times))


class Faults:
    """Counts visits and strikes; shared by threads. Without `once` each process counts for itself."""

    def __init__(self, faults: list[Fault], once: Path | None) -> None:
        self._faults = faults
        self._once = once
        self._lock = Lock()
        self._visits: Counter[Fault] = Counter()

    def reach(self, point: Point, line: Line) -> None:
        for fault in self._faults:
            if fault.point is point and self._takes_a_turn(fault):
                log.warning("fault", point=point.value, action=fault.action.value)
                _strike(fault.action, line)

    def _takes_a_turn(self, fault: Fault) -> bool:
        if self._once is None:
            with self._lock:
                self._visits[fault] += 1
                return self._visits[fault] <= fault.times
        return any(_create(self._once / fault.marker(number)) for number in range(1, fault.times + 1))


def from_environment(variables: Mapping[str, str]) -> Callable[[Point, Line], None]:
    """The function to call at each point; raises `ConfigurationError` for faults that nobody allowed."""
    wanted = variables.get(FAULT)
    if not wanted:
        return _go_on
    if variables.get(ALLOWED) != "yes":
        raise ConfigurationError(
            [f"{FAULT} makes processes fail on purpose; it is for tests, and needs {ALLOWED}=yes"]
        )
    problems, faults = [], []
    for text in wanted.split(","):
        try:
            faults.append(Fault.parse(text))
        except ValueError as error:
            problems.append(f"{FAULT}: {text!r} is not point:action:times ({error})")
    once = Path(variables[ONCE]) if variables.get(ONCE) else None
    if once is not None and not once.is_dir():
        problems.append(f"{ONCE} must be a folder, and {once} is none")
    if problems:
        raise ConfigurationError(problems)
    return Faults(faults, once).reach


def _go_on(_point: Point, _line: Line) -> None:
    """Nothing is armed."""


def _create(marker: Path) -> bool:
    """Whether it was this caller who created the file: of all threads and processes, one does."""
    try:
        descriptor = os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    os.write(descriptor, str(os.getpid()).encode())
    os.close(descriptor)
    return True


def _strike(action: Action, line: Line) -> None:
    match action:
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.STOP:
            # To this thread: one that is sent to the process lets the thread go on for a moment.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        case Action.CUT:
            _cut(line)


def _cut(line: Line) -> None:
    """End the connection beneath the library that uses it, which finds out as it would in a failover."""
    if isinstance(line, Session):
        line = line.connection().connection.dbapi_connection  # type: ignore[assignment]  # psycopg2's
    with socket.socket(fileno=os.dup(line.fileno())) as raw:  # type: ignore[union-attr]
        raw.shutdown(socket.SHUT_RDWR)


reach = from_environment(os.environ)
