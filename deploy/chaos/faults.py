"""Each kind of fault: what it does to the system, and that it returns only when it is over.

Over means: what was killed is back at work, what was cut is mended. What a fault leaves behind in rows
and queues is not mended by anybody here; that is what is being tested.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import psutil
from sqlalchemy import select, text

from alertops.models import Attempt, Execution, Step
from alertops.services.dispatch import FIRE_STEP, SEND_ATTEMPT
from deploy.chaos import link_faults, mailboxes, provider_faults, schedule
from deploy.chaos.clock import Clock
from deploy.chaos.points import frozen_at_a_point, killed_at_a_point
from deploy.chaos.schedule import HOSTS, WIPE, PlannedFault
from deploy.chaos.system import System, revive
from deploy.local import processes
from deploy.local.errors import LocalStackError
from deploy.local.server import Server
from deploy.local.service import Service
from deploy.local.smtp_sink import Drop, Hang, Refuse

Injection = Callable[[System, PlannedFault], None]

END_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# What each kind of worker is given.
TAKES_FROM = {"fire": "fire", "send": "send.email", "hook": "send.webhook"}
COPIES = 3
AT_ONCE = 60
MINUTES_WRONG = 3
OBEYED_SECONDS = 30.0
# Without other faults about 8 s, with a canary every 2 s.
DEAF_SECONDS = 60.0
MORE_THAN_ANY_DISK = "1000000GB"


def _worker_killed(system: System, fault: PlannedFault) -> None:
    worker = system.worker(fault.target)
    worker.kill()
    time.sleep(fault.seconds)
    revive(worker)


def _host_killed(system: System, fault: PlannedFault) -> None:
    host = system.fleet.hosts[fault.target]
    host.kill()
    time.sleep(fault.seconds)
    for worker in host.services:
        revive(worker)


def _worker_deafened(system: System, fault: PlannedFault) -> None:
    """It is up, and is given nothing any more, until it finds that out and ends by itself."""
    worker = system.worker(fault.target)
    queue = TAKES_FROM[fault.target.partition("@")[0]]
    _in_time(lambda: system.deafen(fault.target, queue), OBEYED_SECONDS, f"{fault.target} to be deafened")
    _in_time(lambda: not worker.running, DEAF_SECONDS, f"the end of {fault.target}, which is deaf")
    time.sleep(fault.seconds)
    revive(worker)


def _in_time(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LocalStackError(f"{what} was not seen within {seconds:g} s")
        time.sleep(0.2)


def _api_worker_killed(system: System, _fault: PlannedFault) -> None:
    """One of gunicorn's processes; gunicorn replaces it."""
    api = system.fleet.api
    children = [psutil.Process(pid) for pid in api.pids if pid != api.pid]
    processes.send(signal.SIGKILL, children[:1])
    api.wait_ready()


def _api_killed(system: System, fault: PlannedFault) -> None:
    system.fleet.api.kill()
    time.sleep(fault.seconds)
    revive(system.fleet.api)


def _api_restarted(system: System, fault: PlannedFault) -> None:
    """In good order: what was asked before is answered."""
    system.fleet.api.stop()
    time.sleep(fault.seconds)
    revive(system.fleet.api)


def _paused(service: Service, fault: PlannedFault) -> None:
    service.pause()
    try:
        time.sleep(fault.seconds)
    finally:
        service.resume()


def _worker_restarted(system: System, fault: PlannedFault) -> None:
    worker = system.worker(fault.target)
    worker.stop()
    revive(worker)


def _clock_wrong(by_seconds: int) -> Injection:
    """A worker comes up with a wrong clock, which is set right while it works.

    The fault is over when the worker is back: with a wrong clock the promises are the same.
    """

    def inject(system: System, fault: PlannedFault) -> None:
        worker = system.worker(fault.target)
        clock = Clock(system.fleet.root)
        clock.set(by_seconds)
        usual = worker.environment
        worker.environment = {**usual, **clock.environment}
        try:
            worker.stop()
            revive(worker)
        finally:
            worker.environment = usual
        set_right = threading.Timer(fault.seconds, clock.set, (0,))
        set_right.daemon = True
        set_right.start()

    return inject


def _killed(server: Server, fault: PlannedFault) -> None:
    server.kill()
    time.sleep(fault.seconds)
    server.start()


def _restarted(server: Server, fault: PlannedFault) -> None:
    server.stop()
    time.sleep(fault.seconds)
    server.start()


def _alarm(raised: tuple[str, str], over: tuple[str, str]) -> Injection:
    """A resource of the broker runs out: it takes nothing from whoever publishes, but delivers."""

    def inject(system: System, fault: PlannedFault) -> None:
        rabbitmq = system.stack.rabbitmq
        rabbitmq.ctl(*raised)
        try:
            time.sleep(fault.seconds)
        finally:
            rabbitmq.ctl(*over)

    return inject


def _broker_wiped(system: System, fault: PlannedFault) -> None:
    system.stack.rabbitmq.kill()
    time.sleep(fault.seconds)
    system.stack.rabbitmq.wipe()
    system.stack.rabbitmq.start()


def _connections_closed(system: System, _fault: PlannedFault) -> None:
    system.stack.rabbitmq.ctl("close_all_connections", "an operator closed it")


def _sessions_ended(system: System, _fault: PlannedFault) -> None:
    with system.sessions() as session:
        session.execute(text(END_OTHER_SESSIONS))


def _wake_ups_duplicated(system: System, _fault: PlannedFault) -> None:
    """Of what waits, early; and of what is being sent, again."""
    with system.sessions() as session:
        waiting = select(Step.execution_id, Step.number).where(Step.status == "waiting").limit(AT_ONCE)
        steps = [[str(id_), number] for id_, number in session.execute(waiting)]
        unfinished = select(Attempt).where(Attempt.finished_at.is_(None)).limit(AT_ONCE)
        attempts = list(session.scalars(unfinished))
    system.publish(FIRE_STEP, "fire", steps * COPIES)
    _publish_attempts(system, attempts * COPIES)


def _stale_wake_ups(system: System, _fault: PlannedFault) -> None:
    """Of executions that have come to their end, and of steps that have fired."""
    with system.sessions() as session:
        done = (
            select(Attempt)
            .join(Execution, Execution.id == Attempt.execution_id)
            .where(Attempt.finished_at.is_not(None))
            .order_by(Attempt.finished_at.desc())
            .limit(AT_ONCE)
        )
        attempts = list(session.scalars(done))
    _publish_attempts(system, attempts)
    system.publish(FIRE_STEP, "fire", [[str(a.execution_id), a.step_number] for a in attempts])


def _publish_attempts(system: System, attempts: Sequence[Attempt]) -> None:
    """Each on the queue of its channel."""
    for channel in sorted({attempt.channel for attempt in attempts}):
        keys = [
            [str(a.execution_id), a.step_number, a.target_number, a.number]
            for a in attempts
            if a.channel == channel
        ]
        system.publish(SEND_ATTEMPT, f"send.{channel}", keys)


def _queue_purged(system: System, fault: PlannedFault) -> None:
    system.purge(fault.target)


def _binding_removed(system: System, fault: PlannedFault) -> None:
    """From now on the broker confirms what is sent there, and drops it."""
    system.unbind(fault.target)


INJECTIONS: Mapping[str, Injection] = {
    "worker killed": _worker_killed,
    "host killed": _host_killed,
    "host lost power": link_faults.host_lost_power,
    "API worker killed": _api_worker_killed,
    "API killed": _api_killed,
    "API restarted": _api_restarted,
    "API paused": lambda system, fault: _paused(system.fleet.api, fault),
    "worker paused": lambda system, fault: _paused(system.worker(fault.target), fault),
    "worker restarted": _worker_restarted,
    "worker deafened": _worker_deafened,
    schedule.CLOCK_AHEAD: _clock_wrong(MINUTES_WRONG * 60),
    schedule.CLOCK_BEHIND: _clock_wrong(-MINUTES_WRONG * 60),
    "killed at a point": killed_at_a_point,
    "frozen at a point": frozen_at_a_point,
    "broker killed": lambda system, fault: _killed(system.stack.rabbitmq, fault),
    "broker restarted": lambda system, fault: _restarted(system.stack.rabbitmq, fault),
    "broker disk alarm": _alarm(("set_disk_free_limit", MORE_THAN_ANY_DISK), ("set_disk_free_limit", "50MB")),
    "broker memory alarm": _alarm(
        ("set_vm_memory_high_watermark", "0"), ("set_vm_memory_high_watermark", "0.4")
    ),
    "database killed": lambda system, fault: _killed(system.stack.postgres, fault),
    "database restarted": lambda system, fault: _restarted(system.stack.postgres, fault),
    "broker connections closed": _connections_closed,
    "database sessions ended": _sessions_ended,
    "link cut": link_faults.link_cut,
    "link slowed": link_faults.link_slowed,
    "link frozen": link_faults.link_frozen,
    "link half-open": link_faults.link_half_open,
    "link reset": link_faults.link_reset,
    "wake-ups duplicated": _wake_ups_duplicated,
    "stale wake-ups": _stale_wake_ups,
    "queue purged": _queue_purged,
    "binding removed": _binding_removed,
    "mail server hangs": provider_faults.mail_server(Hang(mailboxes.TOO_LONG)),
    "mail server refuses": provider_faults.mail_server(Refuse(421)),
    "mail server drops": provider_faults.mail_server(Drop()),
    "machines fail": provider_faults.machines_fail,
    WIPE: _broker_wiped,
}


_BOTH_SERVERS = ("database sessions ended", "wake-ups duplicated", "stale wake-ups", "queue purged")
# What some kinds need for themselves, whatever they hit.
NEEDS: Mapping[str, Sequence[str]] = {
    "killed at a point": ["api", *sorted(f"host {name}" for name in HOSTS)],
    "binding removed": ["broker"],
    "machines fail": ["machines"],
    **dict.fromkeys(_BOTH_SERVERS, ("broker", "database")),
}


def resources_of(fault: PlannedFault) -> Sequence[str]:
    """What a fault needs for itself: two faults never do something to the same thing at once."""
    host = fault.target.rpartition("@")[2]
    match fault.kind:
        case "host lost power":
            return sorted([f"host {host}", f"{host}-broker", f"{host}-database"])
        case "worker killed" | "worker paused" | "worker restarted" | "worker deafened" | "host killed":
            return [f"host {host}"]
        case schedule.CLOCK_AHEAD | schedule.CLOCK_BEHIND:
            return [f"host {host}"]
        case "frozen at a point":
            return [f"whoever is frozen {fault.target}"]
        case _:
            return NEEDS.get(fault.kind, [fault.target])
