"""Each kind of fault: what it does to the system, and that it returns only when it is over.

Over means: what was killed is back at work, what was cut is mended. What a fault leaves behind in rows
and queues is not mended by anybody here; that is what is being tested.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import psutil
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from alertops.models import Attempt, Execution, Step
from alertops.services.dispatch import FIRE_STEP, SEND_ATTEMPT
from deploy.chaos import mailboxes
from deploy.chaos.proxy import Link
from deploy.chaos.schedule import WIPE, PlannedFault
from deploy.chaos.system import System, revive
from deploy.local import processes
from deploy.local.server import Server
from deploy.local.smtp_sink import Behaviour, Drop, Hang, Refuse

Injection = Callable[[System, PlannedFault], None]

END_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
COPIES = 3
AT_ONCE = 60
# Two heartbeats of 10 s that do not come, and what it takes to miss the first.
NOTICED_SECONDS = 60.0
SLOWED_SECONDS = 0.25
# For how long the worst moment for a host to lose its power is waited for.
STRETCHED_SECONDS = 3.0
OPEN_TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE client_port = ANY(:ports) AND state = 'idle in transaction'
"""


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


@contextmanager
def _mended(*links: Link) -> Iterator[None]:
    """Whatever is done to the links, or fails, is over afterwards."""
    try:
        yield
    finally:
        for link in links:
            link.mend()


def _host_lost_power(system: System, fault: PlannedFault) -> None:
    """Unlike after a kill, no kernel is left that would end the host's connections."""
    host = system.fleet.hosts[fault.target]
    links = system.links_of(fault.target)
    with _mended(*links):
        for link in links:
            link.slow(SLOWED_SECONDS)
        _await_transaction(system, system.links[f"{fault.target}-database"])
        for link in links:
            link.lose_client_side(frozen=True)
        host.kill()
        time.sleep(fault.seconds)
    for worker in host.services:
        revive(worker)
    _await_notice(links[0])


def _await_notice(link: Link) -> None:
    """Wait until the server has noticed by itself which of its connections are dead.

    Until then a broker hands messages to consumers that are gone: it is not well before.
    """
    deadline = time.monotonic() + NOTICED_SECONDS
    while link.server_is_deceived and time.monotonic() < deadline:
        time.sleep(0.1)


def _await_transaction(system: System, link: Link) -> None:
    """Wait for the worst moment, at which somebody behind the link has a transaction open."""
    deadline = time.monotonic() + STRETCHED_SECONDS
    query = text(OPEN_TRANSACTIONS)
    while time.monotonic() < deadline:
        # A database that is down just now, by another fault, has no transactions.
        with suppress(DBAPIError), system.sessions() as session:
            if session.scalar(query, {"ports": link.server_sees}):
                return
        time.sleep(0.02)


def _api_worker_killed(system: System, _fault: PlannedFault) -> None:
    """One of gunicorn's processes; gunicorn replaces it."""
    api = system.fleet.api
    children = [psutil.Process(pid) for pid in api.pids if pid != api.pid]
    processes.send(signal.SIGKILL, children[:1])
    api.wait_ready()


def _worker_paused(system: System, fault: PlannedFault) -> None:
    worker = system.worker(fault.target)
    worker.pause()
    try:
        time.sleep(fault.seconds)
    finally:
        worker.resume()


def _worker_restarted(system: System, fault: PlannedFault) -> None:
    worker = system.worker(fault.target)
    worker.stop()
    revive(worker)


def _killed(server: Server, fault: PlannedFault) -> None:
    server.kill()
    time.sleep(fault.seconds)
    server.start()


def _broker_restarted(system: System, fault: PlannedFault) -> None:
    system.stack.rabbitmq.stop()
    time.sleep(fault.seconds)
    system.stack.rabbitmq.start()


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


def _link_cut(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.cut()
        time.sleep(fault.seconds)


def _link_slowed(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.slow(SLOWED_SECONDS)
        time.sleep(fault.seconds)


def _link_frozen(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.freeze()
        time.sleep(fault.seconds)


def _link_half_open(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.lose_server_side()
        time.sleep(fault.seconds)


def _link_reset(system: System, fault: PlannedFault) -> None:
    """The clients come back at once, and the server takes their old connections for alive."""
    system.links[fault.target].lose_client_side()
    time.sleep(fault.seconds)
    for worker in system.fleet.workers:
        revive(worker)
    if fault.target.endswith("-broker"):
        _await_notice(system.links[fault.target])


def _wake_ups_duplicated(system: System, _fault: PlannedFault) -> None:
    """Of what waits, early; and of what is being sent, again."""
    with system.sessions() as session:
        waiting = select(Step.execution_id, Step.number).where(Step.status == "waiting").limit(AT_ONCE)
        steps = [[str(id_), number] for id_, number in session.execute(waiting)]
        unfinished = (
            select(Attempt.execution_id, Attempt.step_number, Attempt.target_number, Attempt.number)
            .where(Attempt.finished_at.is_(None))
            .limit(AT_ONCE)
        )
        attempts = [[str(key[0]), *key[1:]] for key in session.execute(unfinished)]
    system.publish(FIRE_STEP, "fire", steps * COPIES)
    system.publish(SEND_ATTEMPT, "send.email", attempts * COPIES)


def _stale_wake_ups(system: System, _fault: PlannedFault) -> None:
    """Of executions that have come to their end, and of steps that have fired."""
    with system.sessions() as session:
        done = (
            select(Attempt.execution_id, Attempt.step_number, Attempt.target_number, Attempt.number)
            .join(Execution, Execution.id == Attempt.execution_id)
            .where(Attempt.finished_at.is_not(None))
            .order_by(Attempt.finished_at.desc())
            .limit(AT_ONCE)
        )
        attempts = [[str(key[0]), *key[1:]] for key in session.execute(done)]
    system.publish(SEND_ATTEMPT, "send.email", attempts)
    system.publish(FIRE_STEP, "fire", [key[:2] for key in attempts])


def _queue_purged(system: System, fault: PlannedFault) -> None:
    system.purge(fault.target)


def _mail_server(behaviour: Behaviour) -> Injection:
    def inject(system: System, fault: PlannedFault) -> None:
        mailboxes.all_alike(system.sink, behaviour)
        time.sleep(fault.seconds)
        mailboxes.as_usual(system.sink)

    return inject


INJECTIONS: Mapping[str, Injection] = {
    "worker killed": _worker_killed,
    "host killed": _host_killed,
    "host lost power": _host_lost_power,
    "API worker killed": _api_worker_killed,
    "worker paused": _worker_paused,
    "worker restarted": _worker_restarted,
    "broker killed": lambda system, fault: _killed(system.stack.rabbitmq, fault),
    "broker restarted": _broker_restarted,
    "database killed": lambda system, fault: _killed(system.stack.postgres, fault),
    "broker connections closed": _connections_closed,
    "database sessions ended": _sessions_ended,
    "link cut": _link_cut,
    "link slowed": _link_slowed,
    "link frozen": _link_frozen,
    "link half-open": _link_half_open,
    "link reset": _link_reset,
    "wake-ups duplicated": _wake_ups_duplicated,
    "stale wake-ups": _stale_wake_ups,
    "queue purged": _queue_purged,
    "mail server hangs": _mail_server(Hang(mailboxes.TOO_LONG)),
    "mail server refuses": _mail_server(Refuse(421)),
    "mail server drops": _mail_server(Drop()),
    WIPE: _broker_wiped,
}


def resources_of(fault: PlannedFault) -> Sequence[str]:
    """What a fault needs for itself: two faults never do something to the same thing at once."""
    host = fault.target.rpartition("@")[2]
    match fault.kind:
        case "host lost power":
            return sorted([f"host {host}", f"{host}-broker", f"{host}-database"])
        case "worker killed" | "worker paused" | "worker restarted" | "host killed":
            return [f"host {host}"]
        case "database sessions ended" | "wake-ups duplicated" | "stale wake-ups" | "queue purged":
            return ["broker", "database"]
        case _:
            return [fault.target]
