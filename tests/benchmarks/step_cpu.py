"""What does a step cost in processor time of ours? `python -m tests.benchmarks.step_cpu [N]`

N alerts with one e-mail target each, from the start of the execution to the recorded outcome, on real
servers. First in one thread, service by service; then a worker host gets N more, and the time that its two
processes used is divided by N, so that Celery's part is in there. What else the machine does makes it more: a
loop that never changes is measured beside it, and says by how much. What Postgres had for the statements of
the one thread, planning them and carrying them out, it says itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

import psutil
from celery import Celery
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.answer_links import AnswerLinks
from alertops.channels.base import Channel
from alertops.channels.email import EmailChannel
from alertops.channels.mailer import Mailer, SmtpSettings
from alertops.config import Timing
from alertops.db import session_factory
from alertops.escalation.decision import Reason
from alertops.escalation.flow import Flow as FlowDefinition
from alertops.escalation.flow import Node, flow_to_json
from alertops.logs import configure_logging
from alertops.models import Execution, Flow, FlowRevision, Team
from alertops.schema import migrate
from alertops.services.dispatch import Dispatcher
from alertops.services.fire_step import fire_step
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.send_attempt import send_attempt
from alertops.services.start_execution import Alert, start_execution
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses, PrivateStack
from tasks.publisher import ConfirmingPublisher
from tests.api_environment import LINK_KEY
from tests.benchmarks.stage import autocommitting, count_statements

ROOT = Path(".local/bench-step")
STEPS = 1_000
WARM_UP = 50
PATIENCE_SECONDS = 300

console = Console()


def main() -> None:
    # Lines are written as in production; nobody needs to see them.
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    configure_logging("json", "INFO")
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    with PrivateStack(ROOT, report=console.log) as stack, SmtpSink() as sink:
        engine = create_engine(stack.addresses.database_url)
        with engine.connect() as connection:
            migrate(connection)
        engine.dispose()
        count_statements(stack)
        statements = _Statements(stack.addresses.database_url)
        # What is published here wakes nobody: this thread is the worker.
        elsewhere = Addresses(stack.addresses.database_url, stack.rabbitmq.create_vhost("elsewhere"))
        alone = _alone(elsewhere, sink.port, steps) | statements.milliseconds(steps + WARM_UP)
        stack.rabbitmq.delete_vhost("elsewhere")
        worker = _worker(stack.addresses, sink.port, steps)
    console.print(_table(steps, alone, worker))


def _alone(addresses: Addresses, smtp_port: int, steps: int) -> dict[str, float]:
    """Milliseconds of this thread for each service."""
    dispatcher = _dispatcher(addresses)
    smtp = SmtpSettings("127.0.0.1", smtp_port, "none", None, None, "alerts@example.org")
    channels = {"email": EmailChannel(Mailer(smtp), AnswerLinks("https://alertops.test", [LINK_KEY]))}
    used: dict[str, float] = {}
    sessions = session_factory(addresses.database_url)
    with sessions() as session:
        flow = _flow(session)
    for number in range(-WARM_UP, steps):
        for name, seconds in _one(sessions, dispatcher, channels, flow).items():
            used[name] = used.get(name, 0.0) + (seconds if number >= 0 else 0.0)
    return {name: seconds / steps * 1000 for name, seconds in used.items()}


def _one(
    sessions: sessionmaker[Session], dispatcher: Dispatcher, channels: Mapping[str, Channel], flow_id: UUID
) -> dict[str, float]:
    """One alert, from its start to the recorded outcome: seconds of this thread."""
    times = [time.thread_time()]
    with sessions() as session:
        id_ = _start(session, dispatcher, flow_id)
    times.append(time.thread_time())
    with sessions() as session:
        fired = fire_step(session, dispatcher, StepKey(id_, 1))
    times.append(time.thread_time())
    with sessions() as session:
        sent = send_attempt(session, dispatcher, channels, Timing(), AttemptKey(id_, 1, 1, 1))
    times.append(time.thread_time())
    if (fired, sent) != (Reason.DUE, Reason.REACHED):
        raise RuntimeError(f"the step was not fired and sent: {fired}, {sent}")
    times.append(times[-1] + _yardstick())
    names = ("start", "fire", "send", "(yardstick)")
    return {name: after - before for name, before, after in zip(names, times[:-1], times[1:], strict=True)}


class _Statements:
    """What Postgres says of its statements, from here on."""

    def __init__(self, database_url: str) -> None:
        self._dsn = database_url.replace("+psycopg2", "", 1)
        with autocommitting(self._dsn) as session, session.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            cursor.execute("ALTER SYSTEM SET pg_stat_statements.track_planning = on")
            cursor.execute("SELECT pg_reload_conf(), pg_stat_statements_reset()")

    def milliseconds(self, steps: int) -> dict[str, float]:
        """Until now, for one of so many steps."""
        with autocommitting(self._dsn) as session, session.cursor() as cursor:
            cursor.execute("SELECT sum(total_plan_time), sum(total_exec_time) FROM pg_stat_statements")
            planned, executed = cursor.fetchone() or (0.0, 0.0)
        return {"Postgres plans": planned / steps, "Postgres carries out": executed / steps}


def _yardstick() -> float:
    """Seconds for a loop that never changes."""
    began = time.thread_time()
    sum(number * number % 7 for number in range(20_000))
    return time.thread_time() - began


def _worker(addresses: Addresses, smtp_port: int, steps: int) -> dict[str, float]:
    """Milliseconds of each process of a worker host for one step; and steps a second from start to end."""
    dispatcher = _dispatcher(addresses)
    fleet = Fleet(ROOT, addresses, smtp_port=smtp_port, hosts=("a",), extra={"ALERTOPS_LOG_FORMAT": "json"})
    host = fleet.hosts["a"]
    with session_factory(addresses.database_url)() as session:
        flow_id = _flow(session)
        try:
            host.start()
            host.wait_ready()
            _run(session, dispatcher, flow_id, WARM_UP)
            before = {service.name: _used(service.pids) for service in host.services}
            began = time.monotonic()
            _run(session, dispatcher, flow_id, steps)
            rate = steps / (time.monotonic() - began)
            used = {service.name: _used(service.pids) - before[service.name] for service in host.services}
        finally:
            host.stop()
    return {name: seconds / steps * 1000 for name, seconds in used.items()} | {"steps/s": rate}


def _run(session: Session, dispatcher: Dispatcher, flow_id: UUID, steps: int) -> None:
    """Start so many executions, and return when all have ended."""
    for _ in range(steps):
        _start(session, dispatcher, flow_id)
    running = select(func.count()).where(Execution.flow_id == flow_id, Execution.status == "running")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while session.scalar(running):
        session.rollback()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all steps were done in {PATIENCE_SECONDS} s")
        time.sleep(0.05)
    session.rollback()


def _start(session: Session, dispatcher: Dispatcher, flow_id: UUID) -> UUID:
    flow = session.get_one(Flow, flow_id)
    return start_execution(session, dispatcher, flow, Alert("Benchmark", "info", {}), None).execution.id


def _flow(session: Session) -> UUID:
    """A flow of one node, which is due at once."""
    team = Team(name="Benchmark")
    session.add(team)
    session.flush()
    flow = Flow(team_id=team.id, name="One mail", revision_number=1)
    session.add(flow)
    session.flush()
    node = Node(str(uuid4()), "on call", {"type": "email", "email": "oncall@example.org"}, 0)
    definition = flow_to_json(FlowDefinition(nodes=(node,)))
    session.add(FlowRevision(flow_id=flow.id, number=1, definition=definition))
    session.commit()
    return flow.id


def _dispatcher(addresses: Addresses) -> Dispatcher:
    app = Celery(broker=addresses.broker_url, set_as_current=False)
    return Dispatcher(ConfirmingPublisher(app, Timing().publish_timeout))


def _used(pids: list[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def _table(steps: int, alone: Mapping[str, float], worker: Mapping[str, float]) -> Table:
    table = Table(title=f"A step with one e-mail target: ms of processor time, mean of {steps:,}")
    table.add_column("what")
    table.add_column("ms", justify="right")
    for name, value in {**alone, **worker}.items():
        table.add_row(name, f"{value:.2f}")
    return table


if __name__ == "__main__":
    main()
