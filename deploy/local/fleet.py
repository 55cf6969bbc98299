"""The processes that make up AlertOps on one machine, and what each of them is told.

    api          gunicorn: HTTP in, executions out
    worker host  two Celery workers: one fires steps, one sends, so that a provider that hangs delays
                 nobody's clock; and if asked for, a third one that posts webhooks, and events to those
                 who have subscribed, so that a machine that hangs delays no mail
    flower       watches the workers; asks for a name and a password
    mail sink    takes every mail and keeps it in a Maildir; for people without a mail server

The fleet belongs to a root folder, as the servers of `stack` do: the addresses it listens on and the
keys that sign its tokens and links are remembered there, its logs are in `log/`. How each process is
started is in `deploy/commands.py`.
"""

import hashlib
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import requests
from amqp.exceptions import AMQPError
from celery import Celery
from kombu.exceptions import KombuError

import deploy
from alertops.signing_keys import generate_keys
from deploy import commands
from deploy.commands import FIRE, HOOK, SEND, WorkerKind
from deploy.local import ports
from deploy.local.identity import Identity
from deploy.local.service import READY_SECONDS, Processes, Service
from deploy.local.stack import Addresses

CHECKOUT = Path(deploy.__file__).resolve().parents[1]
HOSTS = ("a", "b")
PROBE_SECONDS = 2.0

# What a shell may hold about other programs of ours: a fleet is told everything by its owner.
OURS = ("ALERTOPS_", "CELERY_", "FLOWER_", "GUNICORN_")

FLOWER_USER = "alertops"


@dataclass(frozen=True)
class Pools:
    """How the workers of a host run their tasks."""

    fire: tuple[str, ...] = FIRE.pool
    send: tuple[str, ...] = SEND.pool
    hook: tuple[str, ...] = HOOK.pool


THREADS = Pools()


def fleet_processes(root: Path) -> Processes:
    """Whatever is alive of the root's fleet, to stop it without knowing what it was told."""
    return Processes(root / "fleet")


class WorkerHost(Processes):
    """What would be one machine with workers: it lives, dies and is paused as a whole."""

    def __init__(
        self, name: str, fire: Service, send: Service, folder: Path, hook: Service | None = None
    ) -> None:
        super().__init__(folder)
        self.name = name
        self.fire = fire
        self.send = send
        self.hook = hook

    @property
    def services(self) -> tuple[Service, ...]:
        return (self.fire, self.send, self.hook) if self.hook else (self.fire, self.send)

    def start(self) -> None:
        for service in self.services:
            service.start()

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        for service in self.services:
            service.wait_ready(timeout)


class Fleet(Processes):
    """All processes of AlertOps that belong to one root, for servers that are up and migrated.

    Without `smtp_port` there is a mail sink of its own. `extra` is more environment, and has the last
    word: ALERTOPS_LEASE_MARGIN_SECONDS and the like. `checkout` has the sources that are run. Only with
    `webhooks` somebody posts them: the processes are saved where no flow has any. With `events` and without
    those, the senders of mails tell subscribers, too.
    """

    def __init__(
        self,
        root: Path,
        addresses: Addresses,
        *,
        smtp_port: int | None = None,
        hosts: Sequence[str] = HOSTS,
        pools: Pools = THREADS,
        extra: Mapping[str, str] | None = None,
        checkout: Path = CHECKOUT,
        webhooks: bool = False,
        events: bool = False,
    ) -> None:
        self.root = root.resolve()
        super().__init__(fleet_processes(root).folder)
        self._pools = pools
        self._checkout = checkout.resolve()
        self._webhooks = webhooks
        self._send = replace(SEND, queues=(*SEND.queues, "send.events")) if events and not webhooks else SEND
        self._identity = self._remember()
        self._environment = self._told(addresses, smtp_port or self._identity.ports["smtp"], extra or {})
        self._control = Celery(broker=self._environment["ALERTOPS_BROKER_URL"], set_as_current=False)
        self.api = self._service("api", self._api_command(), self._answers(f"{self.api_url}/readyz"))
        self.hosts = {name: self._host(name) for name in hosts}
        self.flower = self._service(
            "flower", self._flower_command(), self._answers(f"{self.flower_url}/healthcheck")
        )
        self.mail_sink = None if smtp_port else self._mail_sink()

    @property
    def api_url(self) -> str:
        return self._url("api")

    @property
    def flower_url(self) -> str:
        return self._url("flower")

    @property
    def flower_credentials(self) -> tuple[str, str]:
        """The name and the password that Flower asks for."""
        return FLOWER_USER, _derived(self._identity.password, "flower")

    @property
    def mail(self) -> Path:
        """Where the mail sink keeps what it takes."""
        return self.root / "mail"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def _signing_keys(self) -> Path:
        return self.root / "signing-keys.pem"

    @property
    def workers(self) -> list[Service]:
        """Every Celery worker, by the name that it has in Celery."""
        return [service for host in self.hosts.values() for service in host.services]

    @property
    def services(self) -> list[Service]:
        """All of them, in the order in which they are of use to each other."""
        sink = [self.mail_sink] if self.mail_sink else []
        return [*sink, *self.workers, self.api, self.flower]

    def start(self) -> None:
        """Start what is not running, all at once; does not wait."""
        for service in self.services:
            service.start()

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        for service in self.services:
            service.wait_ready(timeout)

    def _remember(self) -> Identity:
        """Ports and keys of last time; ports that somebody took meanwhile are chosen anew."""
        self.root.mkdir(parents=True, exist_ok=True)
        file = self.root / "fleet.json"
        identity = Identity.read(file, self.root) or Identity.new(self.root, self.folder)
        if not self.running:
            identity = identity.with_free_ports(("api", "flower", "smtp"))
            identity.write(file)
        if not self._signing_keys.exists():
            generate_keys(self._signing_keys)
        return identity

    def _told(self, addresses: Addresses, smtp_port: int, extra: Mapping[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return {
            **inherited,
            **addresses.as_environment(),
            "PYTHONPATH": str(self._checkout),
            # A checkout on a machine of one's own, in a container, or in CI often is root's.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
            "ALERTOPS_SMTP_HOST": ports.ADDRESS,
            "ALERTOPS_SMTP_PORT": str(smtp_port),
            "ALERTOPS_SMTP_SECURITY": "none",
            "ALERTOPS_MAIL_FROM": "alerts@alertops.test",
            "ALERTOPS_PUBLIC_URL": self._url("api"),
            "ALERTOPS_JWT_KEYS_FILE": str(self._signing_keys),
            "ALERTOPS_LINK_KEYS": self._identity.password,
            "ALERTOPS_SECRETS_KEYS": _derived(self._identity.password, "secrets"),
            "ALERTOPS_LOG_FORMAT": "console",
            # In the environment, as everybody on the machine may read the arguments of a process.
            "FLOWER_BASIC_AUTH": ":".join(self.flower_credentials),
            **extra,
        }

    def _url(self, name: str) -> str:
        return f"http://{ports.ADDRESS}:{self._identity.ports[name]}"

    def _api_command(self) -> tuple[str, ...]:
        bind = f"{ports.ADDRESS}:{self._identity.ports['api']}"
        return (*commands.API, "--bind", bind)

    def _flower_command(self) -> tuple[str, ...]:
        port = self._identity.ports["flower"]
        return (*commands.FLOWER, f"--address={ports.ADDRESS}", f"--port={port}")

    def _host(self, name: str) -> WorkerHost:
        def worker(kind: WorkerKind, pool: tuple[str, ...]) -> Service:
            node = f"{kind.name}@{name}"
            return self._service(
                node, kind.command(name, pool), lambda: self._pongs(node), folder=f"host-{name}/{kind.name}"
            )

        fire, send = worker(FIRE, self._pools.fire), worker(self._send, self._pools.send)
        hook = worker(HOOK, self._pools.hook) if self._webhooks else None
        return WorkerHost(name, fire, send, self.folder / f"host-{name}", hook)

    def _mail_sink(self) -> Service:
        port = self._identity.ports["smtp"]
        listen = f"{ports.ADDRESS}:{port}"
        command = ("aiosmtpd", "-n", "-l", listen, "-c", "aiosmtpd.handlers.Mailbox", str(self.mail))
        return self._service("mail-sink", command, lambda: ports.is_accepting(port))

    def _service(
        self, name: str, command: Sequence[str], ready: Callable[[], bool], *, folder: str | None = None
    ) -> Service:
        return Service(
            name,
            command,
            folder=self.folder / (folder or name),
            log=self.logs / f"{name}.log",
            environment=self._environment,
            ready=ready,
        )

    def _pongs(self, node: str) -> bool:
        """Whether the worker is connected, and consumes."""
        try:
            # A connection of its own each time: one that is kept does not outlive its broker.
            with self._control.connection_for_write(connect_timeout=PROBE_SECONDS) as connection:
                return bool(
                    self._control.control.ping(
                        destination=[node], timeout=PROBE_SECONDS, connection=connection
                    )
                )
        except (OSError, AMQPError, KombuError):
            return False

    @staticmethod
    def _answers(url: str) -> Callable[[], bool]:
        def ready() -> bool:
            try:
                return requests.get(url, timeout=PROBE_SECONDS).ok
            except requests.RequestException:
                return False

        return ready


def _derived(password: str, purpose: str) -> str:
    """A secret of the form that sealing takes, the same in each life of the fleet."""
    return urlsafe_b64encode(hashlib.sha256(f"{purpose} {password}".encode()).digest()).decode()
