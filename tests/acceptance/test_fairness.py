"""A team that raises hundreds of alerts at once, and another that raises a few after it: who comes first?

Order is what counts here, not time: no worker runs until all alerts wait.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.models import Execution, Step
from deploy.local.client import Client
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses
from tests.acceptance.alerts import Alerts, measured, node, until

pytestmark = pytest.mark.acceptance

BATCHES, EACH, FEW = 2, 100, 5
STORM = BATCHES * EACH


@pytest.fixture(scope="module")
def fleet(addresses: Addresses, sink: SmtpSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One host, and its workers are not started yet."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), addresses, smtp_port=sink.port, hosts=("a",))
    try:
        fleet.api.start()
        fleet.api.wait_ready()
        yield fleet
    finally:
        fleet.kill()


def raise_a_storm(client: Client, flow_id: str) -> None:
    for _ in range(BATCHES):
        client._post(f"/flows/{flow_id}/executions/batch", {"alerts": [{"summary": "Noise"}] * EACH})


def test_a_few_alerts_after_a_storm_of_another_team_overtake_it(
    fleet: Fleet, client: Client, alerts: Alerts, sessions: sessionmaker[Session], sink: SmtpSink
) -> None:
    noisy = client.create_flow(client.create_team("Noisy"), "Storm", [node("noisy@example.org", 0)])
    raise_a_storm(client, noisy)
    flow = alerts.flow(node("quiet@example.org", 0))
    quiet = [alerts.raise_(flow) for _ in range(FEW)]
    for worker in fleet.workers:
        worker.start()
    until(lambda: len(sink.alerts) >= STORM + FEW, within=90, what="the last mail")
    ids = {str(alert.id) for alert in quiet}
    order = [mail.alertops("Execution") in ids for mail in sink.alerts]
    mails_before = order[: STORM + FEW - order[::-1].index(True)].count(False)
    with sessions() as session:
        last = session.scalar(select(func.max(Step.fired_at)).where(Step.execution_id.in_(ids)))
        of_the_storm = select(func.count()).select_from(Step).join(Execution)
        fired_before = session.scalar(of_the_storm.where(Execution.flow_id == noisy, Step.fired_at < last))
    measured(
        f"of a storm of {STORM}, {fired_before} fired and {mails_before} were mailed before {FEW} others"
    )
    assert fired_before is not None
    assert fired_before < STORM / 3
    assert mails_before < STORM / 2
