"""The benchmarks do what they measure, at a size that measures nothing: the floor, and a step of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from rich.progress import Progress

from deploy.local.stack import PrivateStack
from tests.benchmarks.contenders.contender import Contender, memory_mib
from tests.benchmarks.contenders.floor import Floor
from tests.benchmarks.contenders.ours import Ours
from tests.benchmarks.figures import FLOOR, Figures
from tests.benchmarks.floor import parts
from tests.benchmarks.run import run
from tests.benchmarks.sink import MailSink
from tests.benchmarks.sizes import TINY
from tests.benchmarks.stage import Room, Stage
from tests.benchmarks.storm import Worked, all_at_once


@pytest.fixture(scope="module")
def stage(stack: PrivateStack) -> Iterator[Stage]:
    if stack.rabbitmq not in stack.servers or stack.postgres not in stack.servers:
        pytest.skip("needs servers of its own, and the environment names some")
    with MailSink() as sink:
        yield Stage(stack, sink, print)


def test_the_floor_is_measured_part_by_part(stage: Stage) -> None:
    figures = Figures()
    with Progress(disable=True) as progress:
        run(stage, [parts.BENCHMARK], TINY, progress, figures)
    assert {figure.key.who for figure in figures} == {FLOOR}
    # The kernel counts processor time in hundredths of a second, too coarse for a few mails.
    assert [figure.key.what for figure in figures if figure.median <= 0 and figure.unit == "/s"] == []


@pytest.mark.parametrize("kind", [Floor, Ours])
def test_a_contender_sends_one_mail_for_each_job_and_none_early(
    stage: Stage, kind: Callable[[Room], Contender]
) -> None:
    with stage.room(f"bench_{kind.__name__}".lower()) as room:
        contender = kind(room)
        contender.prepare()
        contender.start()
        try:
            worked = all_at_once(contender, stage.sink, TINY.storm)
            memory = memory_mib(contender.pids)
            fired = contender.fired_at(list(worked.due)) if isinstance(contender, Ours) else worked.arrived
        finally:
            contender.stop()
    _assert_sent(worked)
    assert memory > 1
    assert all(fired[job] >= at for job, at in worked.due.items())
    assert all(fired[job] <= at for job, at in worked.arrived.items())


def _assert_sent(worked: Worked) -> None:
    assert (len(worked.arrived), worked.missing, worked.mails) == (TINY.storm, 0, TINY.storm)
    assert min(worked.late_ms) >= 0
    assert set(worked.servers_seconds) == {"Postgres", "RabbitMQ"}
