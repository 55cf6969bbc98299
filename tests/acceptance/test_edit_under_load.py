"""Flows are edited while two hundred executions run, many of which are moved to the newest revision.

Each ends as it began, or from its move on as its flow was then, and every promise is kept. Editors race over
HTTP for the same flows, each for the version that they have seen: they add, remove and reorder nodes, and
change them. Meanwhile users raise alerts, acknowledge some and rebase others, as a seed says. Nothing is
broken here; under faults the same editors work in every run of the harness (`deploy/chaos/editors.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from random import Random

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.config import Timing
from alertops.models import Attempt, Execution, FlowRevision, TimelineEntry
from alertops.verify.promises import Verdict
from deploy.chaos.alerts import PlannedAlert, PlannedFlow, plan_alerts
from deploy.chaos.claims import check_claims
from deploy.chaos.clients import Clients
from deploy.chaos.editors import Editors, Pace, check_edits
from deploy.chaos.operations import Kind, PlannedOperation
from deploy.local.fleet import Fleet
from deploy.local.promises import Message, check_promises
from deploy.local.smtp_sink import Refuse, SmtpSink
from tests.acceptance.alerts import measured, node, until

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet")]

SEED = 1
ALERTS = 200
RAISED_OVER_SECONDS = 15.0
FLOWS, NODES = 3, 4
# Of alerts: those that are rebased, within as many seconds. Where the machine is so busy with other things
# that they are over by then, some more are raised, up to so many times.
REBASED, REBASED_WITHIN = 0.5, 5.0
ENOUGH, MORE, MORE_TIMES, MORE_OVER_SECONDS = 30, 20, 6, 5.0
# Short, so that an execution is soon over, and meets some changes of its flow all the same.
PACE = Pace(editors=4, pause_seconds=0.3, delays=range(2, 7))
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

    def pass_by(self, alerts: list[PlannedAlert], more: list[list[PlannedAlert]]) -> None:
        """Alerts, edits and rebases come together; returns when no execution has anything left to do."""
        self.editors.start()
        try:
            self.clients.raise_all(alerts, RAISED_OVER_SECONDS)
            self.clients.catch_up()
            while more and self.rebased_while_running() < ENOUGH:
                self.clients.raise_all(more.pop(), MORE_OVER_SECONDS)
                self.clients.catch_up()
            self.clients.finish()
            until(self._is_over, ENDED_WITHIN, "the end of all executions")
        finally:
            self.editors.finish()

    def judge(self) -> Verdict:
        """Rows, mails and what clients were told, held against each other."""
        mails = [Message.mailed(received.received_at, received.message) for received in self.sink.alerts]
        with self.sessions() as session:
            verdict = check_promises(session, mails)
            check_claims(verdict, session, self.clients.history, self.clients.asked, LEASE)
        return verdict

    def undone(self) -> list[str]:
        with self.sessions() as session:
            return list(check_edits(session, self.editors.edits))

    def edited_in_flight(self) -> int:
        """How many executions ran while their flow got another revision."""
        ended_at = func.coalesce(Execution.ended_at, Execution.acknowledged_at)
        newer = select(FlowRevision.number).where(
            FlowRevision.flow_id == Execution.flow_id,
            FlowRevision.created_at.between(Execution.created_at, ended_at),
        )
        with self.sessions() as session:
            return session.scalar(select(func.count()).select_from(Execution).where(newer.exists())) or 0

    def rebased_while_running(self) -> int:
        """How many executions had what waits planned anew, by a newer revision."""
        replanned = TimelineEntry.event == "step_replanned"
        with self.sessions() as session:
            query = select(func.count(TimelineEntry.execution_id.distinct())).where(replanned)
            return session.scalar(query) or 0

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


def rebases(random: Random, alerts: list[PlannedAlert]) -> dict[str, list[PlannedOperation]]:
    """Which alerts are moved to the newest revision, and when."""
    return {
        alert.key: [PlannedOperation(Kind.REBASE, random.uniform(0, REBASED_WITHIN))]
        for alert in alerts
        if random.random() < REBASED
    }


@pytest.fixture
def flows(sink: SmtpSink) -> list[PlannedFlow]:
    sink.behave("busy@example.org", *(Refuse(451, times=1), Refuse(451, at="data", times=1)) * 10)
    sink.behave("moved@example.org", Refuse(550))
    return short_flows(Random(SEED))  # noqa: S311  repeatable is what it must be


def test_edits_under_load_break_no_promise(
    fleet: Fleet, flows: list[PlannedFlow], sessions: sessionmaker[Session], sink: SmtpSink
) -> None:
    random = Random(SEED)  # noqa: S311
    alerts = plan_alerts(random, flows, ALERTS, "night")
    more = [plan_alerts(random, flows, MORE, f"more-{time}") for time in range(MORE_TIMES)]
    clients = Clients(fleet.api_url, flows, rebases(random, [*alerts, *chain(*more)]))
    editors = Editors(fleet.api_url, clients.token, clients.flow_ids, SEED, PACE)
    night = Night(clients, editors, sessions, sink)
    night.pass_by(alerts, more)
    verdict = night.judge()
    assert not verdict.broken, str(verdict)
    assert night.undone() == []
    edits = Counter(edit.what for edit in editors.edits)
    assert edits.keys() >= {"add", "remove", "reorder"}, edits
    # Too late: for a version that is no more, or for a node that another editor has taken out.
    assert editors.outcomes.keys() - {"answered 404"} == {"made", "answered 412"}, editors.outcomes
    met, rebased = night.edited_in_flight(), night.rebased_while_running()
    answers = Counter(one.outcome for one in clients.asked if one.kind is Kind.REBASE)
    measured(
        f"edits under load: {editors.outcomes['made']} made, {editors.outcomes['answered 412']} too late, "
        f"{met} of {verdict.executions} executions had their flow changed under them, "
        f"{rebased} went over to the newest revision while they ran; rebases: {dict(answers)}"
    )
    assert verdict.executions >= ALERTS
    assert met > ALERTS / 2
    assert rebased >= ENOUGH
    # Refused: what is over, or edited faster than it can be looked at.
    assert answers.keys() <= {"done", "already", "refused 409"}, answers
    assert verdict.checked["frozen"] >= ALERTS
