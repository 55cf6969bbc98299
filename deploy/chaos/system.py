"""The stack, the fleet on it, and the links in between: what faults are done to."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from amqp.exceptions import AMQPError, NotFound
from celery import Celery
from celery.utils import uuid
from kombu import Producer
from kombu.exceptions import KombuError
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from alertops.faults import ALLOWED, FAULT, ONCE, Action, Fault, Point
from alertops.schema import migrate
from deploy.chaos import machines, mailboxes
from deploy.chaos.proxy import Link, Network
from deploy.chaos.schedule import POINTS, STRIKES
from deploy.local.errors import LocalStackError
from deploy.local.fleet import CHECKOUT, Fleet
from deploy.local.hook_sink import HookSink
from deploy.local.progress import Report
from deploy.local.promises import Message
from deploy.local.service import Service
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses, PrivateStack

T = TypeVar("T")

BROKER_ERRORS = (OSError, AMQPError, KombuError)

# What shortens a run: everything that is waited for after a loss, but the pauses between re-dispatches.
SETTINGS: Mapping[str, str] = {
    "ALERTOPS_SEND_DEADLINE_SECONDS": "4",
    "ALERTOPS_LEASE_MARGIN_SECONDS": "2",
    "ALERTOPS_RECOVERY_TICK_SECONDS": "5",
    "ALERTOPS_RECOVERY_GRACE_SECONDS": "2",
    "ALERTOPS_CANARY_SECONDS": "2",
    # Where the machines of a run are.
    "ALERTOPS_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "ALERTOPS_ACCESS_TOKEN_SECONDS": "86400",  # nosec B105  a duration
    # As in production; the console's format takes a multiple of the time.
    "ALERTOPS_LOG_FORMAT": "json",
}
REVIVE_SECONDS = 120.0
DECLARED_SECONDS = 20.0
EXCHANGE = "alertops"
GAVE_UP = "Unrecoverable error"  # as Celery says it


@dataclass(frozen=True)
class System:
    """All that runs, for faults to be done to and figures to be read from.

    Without `machines` no flow has webhooks, and no worker posts any.
    """

    stack: PrivateStack
    fleet: Fleet
    sink: SmtpSink
    links: Mapping[str, Link]
    sessions: sessionmaker[Session]
    celery: Celery
    struck: Path
    machines: HookSink | None = None

    @property
    def services(self) -> list[Service]:
        return [*self.fleet.workers, self.fleet.api]

    def start(self) -> None:
        """Start what does not run, and wait until all do their work."""
        for service in self.services:
            service.start()
        for service in self.services:
            service.wait_ready()

    def expose(self) -> None:
        """From its next start on, each service is behind its links, and can be struck at named places."""
        armed = _armed(self.struck)
        for service in self.services:
            service.environment = {**service.environment, **armed}
        _connect(self.fleet, self.links, self.stack.addresses)

    @property
    def received(self) -> list[Message]:
        """Every alert that came to a mailbox or a machine."""
        mailed = [Message.mailed(one.received_at, one.message) for one in self.sink.alerts]
        hooks = self.machines.received if self.machines else ()
        return [*mailed, *(Message.posted(one.received_at, one.url, one.headers, one.body) for one in hooks)]

    def worker(self, name: str) -> Service:
        return next(worker for worker in self.fleet.workers if worker.name == name)

    @property
    def workers_gave_up(self) -> int:
        """How often a worker met an error that it took for its end, and left the rest to a supervisor."""
        return sum(worker.log_text().count(GAVE_UP) for worker in self.fleet.workers)

    def links_of(self, host: str) -> list[Link]:
        return [self.links[f"{host}-broker"], self.links[f"{host}-database"]]

    def publish(self, task: str, routing_key: str, keys: list[list[Any]]) -> None:
        """Put bare wake-ups on a queue, as anybody could who may publish."""

        def send(channel: Any) -> None:
            producer = Producer(channel, auto_declare=False)
            for key in keys:
                message = self.celery.amqp.create_task_message(uuid(), task, args=key, ignore_result=True)
                self.celery.amqp.send_task_message(
                    producer, task, message, exchange=EXCHANGE, routing_key=routing_key
                )

        self._with_channel(send)

    def purge(self, queue: str) -> int:
        """Empty a queue; returns how many messages that lost."""
        return self._with_channel(lambda channel: int(channel.queue_purge(queue) or 0))

    def unbind(self, queue: str) -> None:
        """Take both ways away by which messages come to a queue: at once, and delayed."""

        def both(channel: Any) -> None:
            for key in (queue, f"#.{queue}"):
                channel.queue_unbind(queue, exchange=EXCHANGE, routing_key=key)

        self._with_channel(both)

    def deafen(self, worker: str, queue: str) -> bool:
        """Have a worker no longer be given what comes to this queue; whether it said that it was told."""
        try:
            with self.celery.connection_for_write(connect_timeout=2) as connection:
                told = self.celery.control.cancel_consumer(
                    queue, destination=[worker], reply=True, timeout=2, connection=connection
                )
        except BROKER_ERRORS:
            return False
        return bool(told)

    def _with_channel(self, act: Callable[[Any], T]) -> T:
        """On a broker that was just emptied, what is looked for is there only when the fleet is back."""
        deadline = time.monotonic() + DECLARED_SECONDS
        while True:
            try:
                with self.celery.connection_for_write(connect_timeout=5) as connection:
                    return act(connection.default_channel)
            except NotFound:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)


@contextmanager
def running_system(root: Path, report: Report, *, exposed: bool) -> Iterator[System]:
    """Private servers, and on them a system of our own sources; all gone afterwards."""
    stack = PrivateStack(root, report=report)
    try:
        with stack, system_on(stack, root, report, exposed=exposed) as system:
            yield system
    finally:
        stack.remove()


@contextmanager
def system_on(
    stack: PrivateStack,
    root: Path,
    report: Report,
    *,
    checkout: Path = CHECKOUT,
    statements: Sequence[str] = (),
    exposed: bool = True,
    webhooks: bool = True,
) -> Iterator[System]:
    """The fleet without Flower, the links, a mail server and machines, on servers that are up.

    The fleet runs the sources of `checkout`, on a database that was migrated by our own, and then
    changed by `statements`. Without `exposed` nothing lies between it and its servers yet.
    """
    with Network() as network, SmtpSink() as sink, HookSink() as hooks:
        mailboxes.as_usual(sink)
        machines.as_usual(hooks)
        addresses = stack.addresses
        _migrate(addresses.database_url, statements)
        links = _links(network, addresses)
        fleet = Fleet(
            root, addresses, smtp_port=sink.port, extra=SETTINGS, checkout=checkout, webhooks=webhooks
        )
        sessions = session_factory(addresses.database_url)
        celery = Celery(broker=addresses.broker_url, set_as_current=False)
        told = hooks if webhooks else None
        system = System(stack, fleet, sink, links, sessions, celery, root / "struck", told)
        try:
            report("Starting the API and two worker hosts ...")
            if exposed:
                system.expose()
            system.start()
            yield system
        finally:
            fleet.kill()
            sessions.kw["bind"].dispose()


def revive(service: Service, within: float = REVIVE_SECONDS) -> None:
    """Start it, and again when it ends by itself, as a supervisor does, until it does its work."""
    deadline = time.monotonic() + within
    while True:
        service.start()
        try:
            service.wait_ready(max(1.0, deadline - time.monotonic()))
        except LocalStackError:
            if service.running or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def forget(root: Path, *, keep_logs: bool) -> None:
    """Delete what a run has left in its folder, but for the logs when they are of use."""
    if not root.exists():
        return
    for entry in root.iterdir():
        if keep_logs and entry.name == "log":
            continue
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if not keep_logs:
        root.rmdir()


def _migrate(database_url: str, statements: Sequence[str]) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        migrate(connection)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _armed(folder: Path) -> Mapping[str, str]:
    """What a fleet is told that is to be struck; the folder is made, with every place disarmed."""
    folder.mkdir(parents=True, exist_ok=True)
    times = {Action.KILL: STRIKES, Action.STOP: 1}
    faults = [Fault(Point(point), action, times[action]) for point in POINTS for action in times]
    for fault in faults:
        for number in range(1, fault.times + 1):
            (folder / fault.marker(number)).touch()
    named = ",".join(f"{fault.point}:{fault.action}:{fault.times}" for fault in faults)
    return {ALLOWED: "yes", ONCE: str(folder.resolve()), FAULT: named}


def _links(network: Network, addresses: Addresses) -> dict[str, Link]:
    targets = {"broker": addresses.broker_url, "database": addresses.database_url}
    links = {}
    for who in ("a", "b", "api"):
        for what, url in targets.items():
            name = f"{who}-{what}"
            links[name] = network.link(name, urlsplit(url).port or 0)
    return links


def _connect(fleet: Fleet, links: Mapping[str, Link], addresses: Addresses) -> None:
    """Tell each service the addresses of its links instead of the servers' own."""
    of_whom = {service: name for name, host in fleet.hosts.items() for service in host.services}
    for service in (*fleet.workers, fleet.api):
        who = of_whom.get(service, "api")
        linked = Addresses(
            _through(addresses.database_url, links[f"{who}-database"]),
            _through(addresses.broker_url, links[f"{who}-broker"]),
        )
        service.environment = {**service.environment, **linked.as_environment()}


def _through(url: str, link: Link) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{link.port}").geturl()
