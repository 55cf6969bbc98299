"""Threads or processes for the workers? `python -m tests.benchmarks.pools`

One worker host, and a mail server that answers after 100 ms, as real ones do. Interleaved rounds of the
same work: a backlog of alerts that the worker finds when it starts, to see what a pool gets through, and
a trickle, to see how late it is.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import psutil
from celery import Celery
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from alertops.db import session_factory
from alertops.escalation.flow import Flow as FlowDefinition
from alertops.escalation.flow import Node, flow_to_json
from alertops.logs import configure_logging
from alertops.models import Attempt, Flow, FlowRevision, Step, Team
from alertops.schema import migrate
from alertops.services.dispatch import Dispatcher
from alertops.services.start_execution import Alert, start_execution
from deploy.local.fleet import THREADS, Fleet, Pools, WorkerHost
from deploy.local.smtp_sink import Hang, SmtpSink
from deploy.local.stack import Addresses, PrivateStack
from tasks.publisher import ConfirmingPublisher

ROOT = Path(".local/bench")
ROUNDS = 3
BACKLOG = 300
TRICKLE = 200
TRICKLE_PER_SECOND = 20
MAILBOX = "oncall@example.org"
SMTP_SECONDS = 0.1


def _prefork(fire: int, send: int) -> Pools:
    return Pools(
        fire=("--pool", "prefork", "--concurrency", str(fire)),
        send=("--pool", "prefork", "--concurrency", str(send)),
    )


VARIANTS = {"threads 8/16": THREADS, "prefork 2/2": _prefork(2, 2), "prefork 8/16": _prefork(8, 16)}

console = Console()


class Measured(NamedTuple):
    """Of one round: steps a second and mails a second in the backlog; lateness in ms in the trickle; MiB."""

    fired: float
    sent: float
    p50: float
    p99: float
    memory: float


def main() -> None:
    configure_logging("console", "WARNING")
    results: dict[str, list[Measured]] = defaultdict(list)
    with PrivateStack(ROOT, report=console.log) as stack, SmtpSink() as sink:
        sink.behave(MAILBOX, Hang(SMTP_SECONDS))
        engine = create_engine(stack.addresses.database_url)
        with engine.connect() as connection:
            migrate(connection)
        engine.dispose()
        for number in range(1, ROUNDS + 1):
            for name, pools in VARIANTS.items():
                console.log(f"round {number} of {ROUNDS}: {name} ...")
                fleet = Fleet(ROOT, stack.addresses, smtp_port=sink.port, hosts=("a",), pools=pools)
                results[name].append(_measure(stack.addresses, fleet.hosts["a"]))
    console.print(_table(results))


@contextmanager
def _working(host: WorkerHost) -> Iterator[None]:
    """One worker host; no API and no Flower, which would only take part in the noise."""
    try:
        host.start()
        host.wait_ready()
        yield
    finally:
        host.stop()


def _measure(addresses: Addresses, host: WorkerHost) -> Measured:
    dispatcher = Dispatcher(ConfirmingPublisher(Celery(broker=addresses.broker_url), 2.0))
    with session_factory(addresses.database_url)() as session:
        at_once, later = _flow(session, 0), _flow(session, 1)
        backlog = [_start(session, dispatcher, at_once) for _ in range(BACKLOG)]
        with _working(host):
            _await_delivered(session, backlog)
            fired, sent = _rates(session, backlog)
            trickle = []
            began = time.monotonic()
            for number in range(TRICKLE):
                time.sleep(max(0.0, began + number / TRICKLE_PER_SECOND - time.monotonic()))
                trickle.append(_start(session, dispatcher, later))
            _await_delivered(session, trickle)
            memory = sum(psutil.Process(pid).memory_info().rss for pid in host.pids) / 2**20
        late = _lateness_ms(session, trickle)
    return Measured(fired, sent, statistics.median(late), late[int(len(late) * 0.99)], memory)


def _flow(session: Session, delay_seconds: int) -> Flow:
    """A flow of one node. After a second, the broker has waited and the worker held a fraction."""
    team = Team(name="Benchmark")
    session.add(team)
    session.flush()
    flow = Flow(team_id=team.id, name="One mail", revision_number=1)
    session.add(flow)
    session.flush()
    node = Node(str(uuid4()), "on call", {"type": "email", "email": MAILBOX}, delay_seconds)
    definition = flow_to_json(FlowDefinition(nodes=(node,)))
    session.add(FlowRevision(flow_id=flow.id, number=1, definition=definition))
    session.commit()
    return flow


def _start(session: Session, dispatcher: Dispatcher, flow: Flow) -> UUID:
    return start_execution(session, dispatcher, flow, Alert("Benchmark", "info", {}), None).execution.id


def _await_delivered(session: Session, ids: Sequence[UUID]) -> None:
    done = select(func.count()).where(Attempt.execution_id.in_(ids), Attempt.status == "delivered")
    deadline = time.monotonic() + 120
    while session.scalar(done) != len(ids):
        session.commit()
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {len(ids)} mails were delivered in 120 s")
        time.sleep(0.05)


def _rates(session: Session, ids: Sequence[UUID]) -> tuple[float, float]:
    """Steps and mails a second, from the first that fired to the last that was done."""
    began = session.scalar(select(func.min(Step.fired_at)).where(Step.execution_id.in_(ids)))
    fired = session.scalar(select(func.max(Step.fired_at)).where(Step.execution_id.in_(ids)))
    sent = session.scalar(select(func.max(Attempt.finished_at)).where(Attempt.execution_id.in_(ids)))
    return len(ids) / (fired - began).total_seconds(), len(ids) / (sent - began).total_seconds()


def _lateness_ms(session: Session, ids: Sequence[UUID]) -> list[float]:
    late = session.scalars(select(Step.fired_at - Step.due_at).where(Step.execution_id.in_(ids)))
    return sorted(duration.total_seconds() * 1000 for duration in late)


def _table(results: dict[str, list[Measured]]) -> Table:
    table = Table(title=f"Median of {ROUNDS} rounds (least to most)")
    for heading in ("fire/send pool", "fired/s", "sent/s", "late p50 ms", "late p99 ms", "MiB"):
        table.add_column(heading, justify="left" if heading == "fire/send pool" else "right")
    for name, rounds in results.items():
        columns = zip(*rounds, strict=True)
        table.add_row(name, *(f"{statistics.median(c):.0f} ({min(c):.0f} to {max(c):.0f})" for c in columns))
    return table


if __name__ == "__main__":
    main()
