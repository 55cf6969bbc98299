"""One run: the fleet comes up, alerts and faults come together, all calms down, and the verdict."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from rich.console import Console
from sqlalchemy import func, select

from alertops.models import Attempt, Execution
from deploy.chaos import undisturbed
from deploy.chaos.alerts import PlannedAlert, plan_alerts, plan_flows, with_machines
from deploy.chaos.claims import PROMISES as PROMISES_TO_CLIENTS
from deploy.chaos.claims import check_claims
from deploy.chaos.clients import Clients
from deploy.chaos.editors import Editors, check_edits
from deploy.chaos.figures import Figures, Punctuality, Run, Undisturbed, figures_of
from deploy.chaos.injector import Injector
from deploy.chaos.machines import PATHS
from deploy.chaos.operations import OPERATED, plan_operations, shortest_first
from deploy.chaos.profiles import Profile
from deploy.chaos.report import explain
from deploy.chaos.schedule import KINDS, WIPE, PlannedFault, plan_bursts
from deploy.chaos.system import SETTINGS, System
from deploy.local.progress import Report
from deploy.local.promises import PROMISES, check_promises

FLOWS = 12
PROMISES_CHECKED = PROMISES.keys() | PROMISES_TO_CLIENTS.keys()
# Promised: within this time without a fault, whatever was lost is repaired (P8).
REPAIRED_WITHIN = timedelta(seconds=20)
# Within this, as measured, it usually is; steps that come due after it count as undisturbed.
RECOVERY = timedelta(seconds=10)
SETTLE_SECONDS = 120.0
LEASE = timedelta(
    seconds=float(SETTINGS["ALERTOPS_SEND_DEADLINE_SECONDS"])
    + float(SETTINGS["ALERTOPS_LEASE_MARGIN_SECONDS"])
)


@dataclass(frozen=True)
class Plan:
    """All that the seed decides. `left_out` are kinds of faults that this machine cannot do, and why."""

    seed: int
    profile: Profile
    undisturbed: list[PlannedAlert]
    bursts: list[list[PlannedFault]]
    clients: Clients
    editors: Editors
    phases: list[list[PlannedAlert]]
    left_out: Mapping[str, str]


def make_plan(
    seed: int,
    profile: Profile,
    system: System,
    only: Collection[str] = (),
    left_out: Mapping[str, str] | None = None,
    *,
    stretch: int = 1,
    operated: float = OPERATED,
) -> Plan:
    """The same seed and profile give the same flows, alerts, operations and faults.

    `stretch` makes flows longer. About the share `operated` of alerts something is done beside answering.
    Where the system has machines, they are told besides.
    """
    random = Random(seed)  # noqa: S311  repeatable is what it must be
    left_out = left_out or {}
    flows = [
        flow.stretched(stretch)
        for flow in plan_flows(random, FLOWS, profile.fewest_nodes, profile.most_nodes)
    ]
    bursts = plan_bursts(
        random,
        profile.faults,
        profile.wipes,
        size=profile.burst_faults,
        seconds=profile.burst_seconds,
        only=[kind for kind in only or KINDS if kind not in left_out and (only or kind != WIPE)],
    )
    count = profile.phases
    sizes = [profile.executions // count + (i < profile.executions % count) for i in range(count)]
    phases = [plan_alerts(random, flows, size, f"{seed}-{i}") for i, size in enumerate(sizes)]
    steady = undisturbed.plan(profile.undisturbed_seconds, FLOWS, f"{seed}")
    # With chances of its own: what is done leaves flows, alerts and faults as they are.
    chances = Random(f"{seed} and beside")  # noqa: S311
    if system.machines is not None:
        flows = with_machines(chances, flows, [system.machines.url(path) for path in PATHS])
    alerts = [alert for phase in phases for alert in phase]
    operations = plan_operations(chances, flows, alerts, operated)
    base_url = system.fleet.api_url
    clients = Clients(base_url, [*flows, undisturbed.FLOW], operations, shortest_first(flows))
    # Not the flow of the steady rate, which is measured.
    editors = Editors(base_url, clients.token, clients.flow_ids[:FLOWS], seed)
    return Plan(seed, profile, steady, bursts, clients, editors, phases, left_out)


def measure_undisturbed(system: System, plan: Plan, report: Report) -> Undisturbed | None:
    """Let alerts come at a steady rate, and nothing else; None when the plan has none.

    Nothing lies between the fleet and its servers meanwhile: a link of ours costs more than what it links.
    Afterwards the fleet is restarted behind its links.
    """
    if not plan.undisturbed:
        return None
    seconds = undisturbed.raising_seconds(plan.profile.undisturbed_seconds)
    report(f"Undisturbed, at {undisturbed.STEPS_PER_SECOND} steps a second: {len(plan.undisturbed)} alerts")
    plan.clients.raise_all(plan.undisturbed, seconds)
    load, _, _ = os.getloadavg()
    plan.clients.catch_up()
    _settle(system, SETTLE_SECONDS)
    with system.sessions() as session:
        measured = Undisturbed.of(undisturbed.read_times(session), load)
    report("Restarting the fleet behind links that can be hurt ...")
    for service in system.services:
        service.stop()
    system.expose()
    system.start()
    return measured


def play(
    system: System, plan: Plan, rate: float | None, report: Report, settle_seconds: float = SETTLE_SECONDS
) -> Injector:
    """Let alerts and faults come together, phase by phase; returns when all that can end has ended."""
    injector = Injector(system, report)
    seconds = plan.profile.phase_seconds(rate)
    plan.editors.start()
    try:
        for number, (alerts, burst) in enumerate(zip(plan.phases, plan.bursts, strict=True), start=1):
            report(f"Phase {number} of {len(plan.phases)}: {len(alerts)} alerts, {len(burst)} faults")
            with _raising(plan.clients, alerts, seconds):
                injector.burst(burst)
                time.sleep(plan.profile.calm_seconds)
            report(f"{len(system.received)} messages so far")
    except BaseException:
        plan.clients.stop()
        raise
    plan.editors.finish()
    report("Waiting until every execution has come to its end ...")
    plan.clients.finish()
    _settle(system, settle_seconds)
    return injector


@contextmanager
def _raising(clients: Clients, alerts: list[PlannedAlert], seconds: float) -> Iterator[None]:
    thread = threading.Thread(target=clients.raise_all, args=(alerts, seconds), daemon=True)
    thread.start()
    yield
    thread.join()


def _settle(system: System, seconds: float) -> None:
    """Wait until nothing is left to do; what is not done then is for the verdict."""
    deadline = time.monotonic() + seconds
    goes_on = Execution.status.in_(("running", "snoozed"))
    open_ = select(func.count()).select_from(Execution).where(goes_on)
    sending = select(func.count()).select_from(Attempt).where(Attempt.finished_at.is_(None))
    while time.monotonic() < deadline:
        with system.sessions() as session:
            if not session.scalar(open_) and not session.scalar(sending):
                return
        time.sleep(0.5)


def judge_run(
    system: System,
    plan: Plan,
    injector: Injector,
    seconds: float,
    console: Console,
    *,
    measured: Undisturbed | None = None,
) -> Figures:
    """Check everything, and print the evidence of what was broken."""
    with system.sessions() as session:
        undone = list(check_edits(session, plan.editors.edits))
    run = Run(
        seed=plan.seed,
        seconds=seconds,
        recovery=RECOVERY,
        history=plan.clients.history,
        asked=plan.clients.asked,
        edits=plan.editors.outcomes,
        undone=undone,
        messages=system.received,
        faults=sorted(injector.faults, key=lambda fault: fault.began_at),
        workers_gave_up=system.workers_gave_up,
        undisturbed=measured,
        left_out=plan.left_out,
    )
    calm = run.calm
    with system.sessions() as session:
        verdict = check_promises(
            session,
            run.messages,
            deadline=lambda due_at: calm.deadline(due_at, REPAIRED_WITHIN),
            channels=("email", "webhook"),
        )
        check_claims(verdict, session, run.history, run.asked, LEASE)
        for line in (*undone, *explain(session, verdict.violations, run.messages, run.faults)):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return figures_of(run, verdict, Punctuality.read(session))
