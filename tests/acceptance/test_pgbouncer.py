"""A fleet that reaches its database through PgBouncer in transaction mode keeps the same promises.

The pooler has fewer connections to the server than there are threads: whose turn it is changes with each
transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy.orm import Session, sessionmaker

from alertops.db import session_factory
from deploy.local.smtp_sink import Hang, SmtpSink
from deploy.local.stack import Addresses, PrivateStack
from tests.acceptance.addresses import own_addresses
from tests.acceptance.alerts import Alerts, node, until
from tests.acceptance.nodes import FleetSetup
from tests.pooler import Pooler

pytestmark = [pytest.mark.acceptance, pytest.mark.alone, pytest.mark.usefixtures("whole_fleet")]

CONNECTIONS = 6
LEASE = 5


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    return {
        "ALERTOPS_SEND_DEADLINE_SECONDS": "4",
        "ALERTOPS_LEASE_MARGIN_SECONDS": "1",
        # Later than what counts as on time, so that recovery cannot pass for punctuality.
        "ALERTOPS_RECOVERY_GRACE_SECONDS": "2",
        "ALERTOPS_RECOVERY_TICK_SECONDS": "2",
    }


@pytest.fixture(scope="module")
def own(stack: PrivateStack) -> Iterator[Addresses]:
    with own_addresses(stack, "pgbouncer") as addresses:
        yield addresses


@pytest.fixture(scope="module")
def pooler(own: Addresses) -> Iterator[Pooler]:
    with Pooler(own.database_url, pool_size=CONNECTIONS) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def addresses(own: Addresses, pooler: Pooler) -> Addresses:
    return Addresses(pooler.url, own.broker_url)


@pytest.fixture(scope="module")
def sessions(own: Addresses) -> Iterator[sessionmaker[Session]]:
    """What the tests look at, they look at themselves."""
    sessions = session_factory(own.database_url)
    yield sessions
    sessions.kw["bind"].dispose()


def test_alerts_fire_on_time_and_once_and_are_silent_when_somebody_answers(alerts: Alerts) -> None:
    answered = alerts.raise_with(node("first@example.org", 0), node("second@example.org", 4))
    answered.await_mails(1, within=5)
    assert answered.acknowledge()["status"] == "acknowledged"
    flow = alerts.flow(
        node("first@example.org", 1), node("second@example.org", 2), node("third@example.org", 1)
    )
    several = [alerts.raise_(flow) for _ in range(10)]
    for alert in several:
        alert.await_status("exhausted", within=10)
        assert len(alert.mails) == 3
    # By now its second step would have come due, too.
    assert len(answered.mails) == 1
    alerts.verify(at_least=31)


def test_a_worker_that_dies_in_mid_send_is_replaced(
    alerts: Alerts, celery_setup: FleetSetup, sink: SmtpSink
) -> None:
    sink.behave("silent@example.org", Hang(10, times=1))
    alert = alerts.raise_with(node("silent@example.org", 0))
    alert.await_mails(1, within=5)
    until(lambda: bool(celery_setup.senders(str(alert.id))), within=5, what="a claim")
    celery_setup.senders(str(alert.id))[0].kill()
    first, second = alert.await_mails(2, within=LEASE + 5)
    alert.await_status("exhausted", within=5)
    assert first.message_id == second.message_id
    assert "attempt_claimed_again" in alert.events
    alerts.verify()


def test_a_pooler_that_dies_in_mid_wait_is_one_more_thing_to_come_back(
    alerts: Alerts, pooler: Pooler
) -> None:
    flow = alerts.flow(node("before@example.org", 0), node("after@example.org", 4))
    several = [alerts.raise_(flow) for _ in range(5)]
    for alert in several:
        alert.await_delivered(1, within=5)
    pooler.kill()
    pooler.start()
    for alert in several:
        alert.await_status("exhausted", within=15)
        assert len(alert.mails) == 2
    alerts.verify(at_least=10)
