"""Flows are edited while two hundred executions run: each ends as it began, and every promise is kept.

Editors race over HTTP for the same flows, each for the version that they have seen: they add, remove and
reorder nodes, and change them. Meanwhile users raise alerts and acknowledge some of them, as a seed says.
Nothing is broken here; under faults the same editors work in every run of the harness
(`deploy/chaos/editors.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.config import Timing
from alertops.models import Attempt, Execution, FlowRevision
from alertops.verify.promises import Verdict
from deploy.chaos.alerts import PlannedFlow, plan_alerts
from deploy.chaos.claims import check_claims
from deploy.chaos.clients import Clients
from deploy.chaos.editors import Editors, Pace, check_edits
from deploy.local.fleet import Fleet
from deploy.local.promises import Mail, check_promises
from deploy.local.smtp_sink import Refuse, SmtpSink
from tests.acceptance.alerts import measured, node, until

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet")]

SEED = 1
ALERTS = 200
RAISED_OVER_SECONDS = 15.0
FLOWS, NODES = 3, 4
# Short, so that an execution is over within seconds, and meets some changes of its flow all the same.
PACE = Pace(editors=4, pause_seconds=0.3, delays=range(4))
ENDED_WITHIN = 40.0
LEASE = timedelta(seconds=Timing().lease)
ADDRESSES = (
    "ops@example.org",
    "dev@example.org",
    "lead@example.org",
    "busy@example.org",
    "moved@example.org",
)


@dataclass(frozen=True)
class Night:
    """Users and editors at work on one fleet, and what is left of it when all is over."""

    clients: Clients
    editors: Editors
    sessions: sessionmaker[Session]
    sink: SmtpSink

    def pass_by(self, random: Random, flows: list[PlannedFlow]) -> None:
        """Alerts and edits come together; returns when no execution has anything left to do."""
        self.editors.start()
        try:
            self.clients.raise_all(plan_alerts(random, flows, ALERTS, "night"), RAISED_OVER_SECONDS)
            self.clients.finish()
            until(self._is_over, ENDED_WITHIN, "the end of all executions")
        finally:
            self.editors.finish()

    def judge(self) -> Verdict:
        """Rows, mails and what clients were told, held against each other."""
        mails = [Mail.read(received.received_at, received.message) for received in self.sink.alerts]
        with self.sessions() as session:
            verdict = check_promises(session, mails)
            check_claims(verdict, session, self.clients.history, LEASE)
        return verdict

    def undone(self) -> list[str]:
        with self.sessions() as session:
            return list(check_edits(session, self.editors.edits))

    def edited_in_flight(self) -> int:
        """How many executions ran while their flow got another revision."""
        ended_at = func.coalesce(Execution.ended_at, Execution.acknowledged_at)
        newer = (
            select(FlowRevision.number)
            .where(FlowRevision.flow_id == Execution.flow_id, FlowRevision.number > Execution.revision_number)
            .where(FlowRevision.created_at.between(Execution.created_at, ended_at))
        )
        with self.sessions() as session:
            return session.scalar(select(func.count()).select_from(Execution).where(newer.exists())) or 0

    def _is_over(self) -> bool:
        running = select(Execution.id).where(Execution.status == "running")
        sending = select(Attempt.number).where(Attempt.finished_at.is_(None))
        with self.sessions() as session:
            return not session.execute(running.limit(1)).all() and not session.execute(sending.limit(1)).all()


def short_flows(random: Random) -> list[PlannedFlow]:
    """To mailboxes that take their mail, that are busy at times, or that are gone."""

    def one(position: int) -> dict[str, object]:
        address = random.choice(ADDRESSES)
        return node(address, random.choice(PACE.delays), attempts=2) | {"name": f"{position + 1}"}

    return [PlannedFlow(f"Flow {i}", [one(position) for position in range(NODES)]) for i in range(FLOWS)]


@pytest.fixture
def flows(sink: SmtpSink) -> list[PlannedFlow]:
    sink.behave("busy@example.org", *(Refuse(451, times=1), Refuse(451, at="data", times=1)) * 10)
    sink.behave("moved@example.org", Refuse(550))
    return short_flows(Random(SEED))  # noqa: S311  repeatable is what it must be


def test_edits_under_load_break_no_promise(
    fleet: Fleet, flows: list[PlannedFlow], sessions: sessionmaker[Session], sink: SmtpSink
) -> None:
    clients = Clients(fleet.api_url, flows)
    editors = Editors(fleet.api_url, clients.token, clients.flow_ids, SEED, PACE)
    night = Night(clients, editors, sessions, sink)
    night.pass_by(Random(SEED), flows)  # noqa: S311
    verdict = night.judge()
    assert not verdict.broken, str(verdict)
    assert night.undone() == []
    assert {raised.refused for raised in clients.history} == {""}
    edits = Counter(edit.what for edit in editors.edits)
    assert edits.keys() >= {"add", "remove", "reorder"}, edits
    # Too late: for a version that is no more, or for a node that another editor has taken out.
    assert editors.outcomes.keys() - {"answered 404"} == {"made", "answered 412"}, editors.outcomes
    met = night.edited_in_flight()
    measured(
        f"edits under load: {editors.outcomes['made']} made, {editors.outcomes['answered 412']} too late, "
        f"{met} of {verdict.executions} executions had their flow changed under them"
    )
    assert verdict.executions >= ALERTS
    assert met > ALERTS / 2
    assert verdict.checked["frozen"] >= ALERTS
