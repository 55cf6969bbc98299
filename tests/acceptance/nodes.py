"""The nodes of pytest-celery over local processes, where it has Docker containers.

pytest-celery drives whatever its node's `container` is through a few methods: `ready`, `kill`,
`restart`, `logs`, `status`, `celeryconfig`, `teardown`. These are those methods over our services and
over the private RabbitMQ, so that its nodes, clusters and setup work as its documentation says.
"""

from __future__ import annotations

from importlib.metadata import version
from signal import Signals
from typing import Protocol

from pytest_celery import CeleryTestBroker, CeleryTestSetup, CeleryTestWorker

from deploy.local.rabbitmq import RabbitMQ
from deploy.local.service import Service


class Container(Protocol):
    """What pytest-celery's nodes ask of a container."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def celeryconfig(self) -> dict[str, str]: ...
    def ready(self) -> bool: ...
    def logs(self) -> str: ...
    def kill(self, signal: str | int = "SIGKILL") -> None: ...
    def restart(self, timeout: float = 60) -> None: ...
    def reload(self) -> None: ...
    def teardown(self) -> None: ...


class WorkerProcess(Container):
    """One Celery worker as a container. Its name in Celery is `kind@host`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.kind, self.host = service.name.split("@")

    @property
    def id(self) -> str:
        """The host: pytest-celery puts the worker's name before it."""
        return self.host

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def status(self) -> str:
        return "running" if self.service.running else "exited"

    @property
    def celeryconfig(self) -> dict[str, str]:
        return _config(self.service.environment["ALERTOPS_BROKER_URL"])

    def ready(self) -> bool:
        self.service.wait_ready()
        return True

    def logs(self) -> str:
        return self.service.log_text()

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """SIGKILL, and it is gone; SIGTERM, and it has been told."""
        if _signal(signal) is Signals.SIGKILL:
            self.service.kill()
        else:
            self.service.terminate()

    def restart(self, timeout: float = 60) -> None:
        self.service.restart()
        self.service.wait_ready(timeout)

    def reload(self) -> None:
        """Nothing to do: a process is asked anew each time."""

    def teardown(self) -> None:
        """Nothing to do: the fleet stops its processes."""

    def worker_name(self) -> str:
        return self.kind

    def worker_queue(self) -> str:
        queues = self.service.command[self.service.command.index("--queues") + 1]
        return queues.split(",")[0]

    @staticmethod
    def log_level() -> str:
        return "INFO"

    @staticmethod
    def version() -> str:
        return version("celery")


class BrokerNode(Container):
    """The private RabbitMQ as a container, for one vhost of it."""

    id = name = "rabbitmq"

    def __init__(self, server: RabbitMQ, url: str) -> None:
        self.server = server
        self._url = url

    @property
    def status(self) -> str:
        return "running" if self.server.is_running() else "exited"

    @property
    def celeryconfig(self) -> dict[str, str]:
        return _config(self._url)

    def ready(self) -> bool:
        return self.server.is_running()

    def logs(self) -> str:
        return self.server.log.read_text(errors="replace")

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Gone when this returns, in good order or not."""
        if _signal(signal) is Signals.SIGKILL:
            self.server.kill()
        else:
            self.server.stop()

    def restart(self, timeout: float = 60) -> None:
        self.server.stop()
        self.server.start()

    def reload(self) -> None:
        """Nothing to do: a process is asked anew each time."""

    def teardown(self) -> None:
        """Nothing to do: the server belongs to the session."""


class Worker(CeleryTestWorker):
    """A Celery worker of the fleet."""

    container: WorkerProcess

    @property
    def host(self) -> str:
        return self.container.host

    @property
    def pid(self) -> int:
        return self.container.service.pid

    @property
    def running(self) -> bool:
        return self.container.service.running

    def pause(self) -> None:
        self.container.service.pause()

    def resume(self) -> None:
        self.container.service.resume()


class Broker(CeleryTestBroker):
    """The broker of the fleet."""

    container: BrokerNode

    def start(self) -> None:
        self.container.server.start()

    def wipe(self) -> None:
        """Lose all that it kept; it must be down."""
        self.container.server.wipe()


class FleetSetup(CeleryTestSetup):
    """pytest-celery's way into the fleet, by the names that our tests use."""

    @property
    def workers(self) -> list[Worker]:
        return list(self.worker_cluster)

    def host(self, name: str) -> list[Worker]:
        """The workers that live and die together on one host."""
        return [worker for worker in self.workers if worker.host == name]

    def senders(self, text: str) -> list[Worker]:
        """The workers that send, and have logged this text."""
        return [worker for worker in self.workers if worker.worker_name == "send" and text in worker.logs()]


def _config(url: str) -> dict[str, str]:
    """Workers and tests are on the same host, and know the broker by the same address."""
    return {"url": url, "host_url": url}


def _signal(signal: str | int) -> Signals:
    return Signals[signal] if isinstance(signal, str) else Signals(signal)
