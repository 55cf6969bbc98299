"""A fleet of real processes for each module, on a database and a vhost of its own.

pytest-celery's cluster fixtures are given our processes in place of containers, once for each module;
the rest of its fixtures (`celery_setup`, its app, its configuration) are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest
from pytest_celery import CeleryBrokerCluster, CeleryWorkerCluster
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from alertops.services.dispatch import Dispatcher
from deploy.local.client import Client
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses, PrivateStack
from tasks.publisher import ConfirmingPublisher
from tests.acceptance.addresses import own_addresses
from tests.acceptance.alerts import Alerts
from tests.acceptance.nodes import Broker, BrokerNode, FleetSetup, Worker, WorkerProcess


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    """ALERTOPS_* variables that a module's fleet has otherwise than the defaults; for modules to override."""
    return {}


@pytest.fixture(scope="module")
def addresses(stack: PrivateStack, request: pytest.FixtureRequest) -> Iterator[Addresses]:
    """A database and a vhost of the module's own, migrated and empty."""
    if stack.rabbitmq not in stack.servers:
        pytest.skip("needs a RabbitMQ of its own, and the environment names one")
    with own_addresses(stack, request.module.__name__.rpartition(".")[2]) as addresses:
        yield addresses


@pytest.fixture
def restore(stack: PrivateStack, addresses: Addresses) -> Callable[[], object]:
    """What an operator does to a broker that came back empty: make the vhost, and nothing in it."""
    name = addresses.broker_url.rpartition("/")[2]
    return partial(stack.rabbitmq.create_vhost, name)


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def fleet(
    addresses: Addresses,
    sink: SmtpSink,
    fleet_settings: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), addresses, smtp_port=sink.port, extra=fleet_settings)
    try:
        fleet.start()
        fleet.wait_ready()
        yield fleet
    finally:
        fleet.kill()  # how it leaves in good order takes seconds, and is the business of test_shutdown.py


@pytest.fixture
def whole_fleet(fleet: Fleet) -> None:
    """A test finds everything up, whatever the one before it took down."""
    fleet.start()
    fleet.wait_ready()


@pytest.fixture(scope="module")
def celery_broker_cluster(stack: PrivateStack, addresses: Addresses) -> CeleryBrokerCluster:
    return CeleryBrokerCluster(Broker(BrokerNode(stack.rabbitmq, addresses.broker_url)))


@pytest.fixture(scope="module")
def celery_worker_cluster(fleet: Fleet) -> CeleryWorkerCluster:
    return CeleryWorkerCluster(*(Worker(WorkerProcess(service), None) for service in fleet.workers))


@pytest.fixture(scope="module")
def celery_backend_cluster() -> None:
    """Results are ignored: the row is the result."""


@pytest.fixture(scope="module")
def celery_setup_cls() -> type[FleetSetup]:
    return FleetSetup


@pytest.fixture(scope="module")
def sessions(addresses: Addresses) -> Iterator[sessionmaker[Session]]:
    sessions = session_factory(addresses.database_url)
    yield sessions
    sessions.kw["bind"].dispose()


@pytest.fixture(scope="module")
def client(fleet: Fleet) -> Client:
    client = Client(fleet.api_url)
    client.sign_in("Operator", "operator@example.org", "a password of the tests")
    return client


@pytest.fixture(scope="module")
def team_id(client: Client) -> str:
    return client.create_team("Team")


@pytest.fixture
def alerts(client: Client, team_id: str, sessions: sessionmaker[Session], sink: SmtpSink) -> Alerts:
    return Alerts(client, team_id, sessions, sink)


@pytest.fixture
def publisher(celery_setup: FleetSetup) -> Iterator[ConfirmingPublisher]:
    """Publishes as the API and the workers do, to the fleet's broker."""
    publisher = ConfirmingPublisher(celery_setup.app, 2.0)
    yield publisher
    publisher._forget_lines()


@pytest.fixture
def dispatcher(publisher: ConfirmingPublisher) -> Dispatcher:
    return Dispatcher(publisher)
