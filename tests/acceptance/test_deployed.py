"""What compose.yaml, Kubernetes and the units of systemd start is started for real, as plain processes.

Each with the words, the environment, the health check, the signal and the patience that its file declares.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from deploy.local import ports
from deploy.local.client import Client
from deploy.local.databases import create_database, drop_database
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses, PrivateStack
from tests.acceptance.alerts import measured, node, until
from tests.acceptance.deployment import Deployment, get
from tests.deploy.deployed import Deployed, clustered, composed, units

pytestmark = pytest.mark.acceptance

WORKERS = ("fire", "send", "hook")


@pytest.fixture
def empty(stack: PrivateStack) -> Iterator[Addresses]:
    """A database without a schema, and a vhost without a queue, on a broker that has lost a node."""
    name = f"deployed_{uuid4().hex[:8]}"
    server = stack.addresses.database_url
    broker = stack.rabbitmq.create_vhost(name)
    lost = urlsplit(broker)._replace(netloc=f"nobody:nothing@{ports.ADDRESS}:{ports.choose()}").geturl()
    yield Addresses(create_database(server, name), f"{lost};{broker}")
    stack.rabbitmq.delete_vhost(name)
    drop_database(server, name)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would hear from a service that says when it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        yield listening


def checks() -> dict[str, tuple[str, ...]]:
    """Kubernetes asks the API itself, and systemd does not ask: the questions are those of compose.yaml."""
    return {name: deployed.health for name, deployed in composed().items() if deployed.health}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(composed, id="compose"),
        pytest.param(clustered, id="kubernetes", marks=pytest.mark.nightly),
        pytest.param(units, id="systemd", marks=pytest.mark.nightly),
    ],
)
def test_what_is_declared_alerts_and_leaves_in_time(
    way: Callable[[], dict[str, Deployed]], empty: Addresses, tmp_path: Path, listening: socket.socket
) -> None:
    with SmtpSink() as sink, Deployment(way(), tmp_path, empty, sink.port, checks()) as deployment:
        run_through(deployment, sink, tmp_path)
        # What `Type=notify` waits for.
        assert b"READY=1" in listening.recv(4096)


def run_through(deployment: Deployment, sink: SmtpSink, folder: Path) -> None:
    """Migrate, start, be healthy, raise an alert, see its mail, look at Flower, and leave."""
    migration = deployment.start("migrate")
    assert migration.popen.wait(60) == 0, migration.log.read_text()
    del deployment.running["migrate"]
    deployment.start("api", NOTIFY_SOCKET=str(folder / "notify"))
    for name in (*WORKERS, "flower"):
        deployment.start(name)
    for name in ("api", "flower", *WORKERS):
        deployment.wait_healthy(name)

    client = Client(deployment.api_url)
    client.sign_in("Operator", "operator@example.org", "a password of the tests")
    flow = client.create_flow(client.create_team("Team"), "Flow", [node("deployed@example.org", 0)])
    execution = client.trigger(flow, "Disk is full")
    sink.wait_until(lambda: len(sink.alerts) == 1, 20)
    (mail,) = sink.alerts
    assert mail.alertops("Execution") == execution
    assert "https://localhost/a/" in mail.message.get_content()
    until(lambda: client.execution(execution)["status"] == "exhausted", within=5, what="the record")

    assert get(f"{deployment.flower_url}/tasks").status_code == 401
    assert get(f"{deployment.flower_url}/tasks", deployment.flower_credentials).status_code == 200

    for name in ("flower", "api", *WORKERS):
        process = deployment.running[name]
        took = process.stop()
        assert process.popen.returncode == 0, f"{name}:\n{process.log.read_text()[-4000:]}"
        measured(
            f"deployed {name}: left in {took:.1f} s, of {process.deployed.grace_seconds:g} s that it has"
        )
