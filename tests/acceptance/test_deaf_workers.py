"""A worker that is up but no longer hears its queues is seen, says so, and ends to be started again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from celery import Celery
from click.testing import CliRunner, Result

from alertops.cli import main
from deploy.local.fleet import Fleet
from deploy.local.stack import Addresses
from tasks.watch import EXIT_CODE
from tests.acceptance.alerts import Alerts, measured, node, until
from tests.acceptance.nodes import Broker, FleetSetup

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet")]

LONE = "lone@x"
DEAFEN: dict[str, Callable[[Celery], object]] = {
    # Celery remembers it over reconnections, and goes on to answer pings.
    "consumer cancelled": lambda app: app.control.cancel_consumer("fire", destination=[LONE]),
    "event loop standing still": lambda app: app.control.broadcast("stand_still", destination=[LONE]),
}


@pytest.fixture(scope="module")
def fleet_settings() -> Mapping[str, str]:
    """A canary a second, and little time to leave: deaf is known in four seconds instead of twenty."""
    return {
        "ALERTOPS_CANARY_SECONDS": "1",
        "ALERTOPS_SEND_DEADLINE_SECONDS": "2",
        "ALERTOPS_LEASE_MARGIN_SECONDS": "1",
    }


@pytest.fixture
def workers(addresses: Addresses) -> Callable[..., Result]:
    """`alertops workers ...`, as an operator types it."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["workers", "--broker-url", addresses.broker_url, *arguments])

    return run


@pytest.fixture
def lone_worker(
    fleet: Fleet, workers: Callable[..., Result], tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """One more worker that fires, a child of this process, which so learns how it ends."""
    like = fleet.hosts["a"].fire
    command = [LONE if word == like.name else word for word in like.command]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(  # noqa: S603  our own worker
            [sys.executable, "-m", *command, "--include", "tests.acceptance.deafening"],
            env=dict(like.environment),
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: workers(LONE).exit_code == 0, within=30, what=LONE)
        yield worker
    finally:
        worker.kill()
        worker.wait()


def test_every_worker_hears_each_of_its_queues(workers: Callable[..., Result], fleet: Fleet) -> None:
    answered = workers()
    assert answered.exit_code == 0, answered.output
    for name in fleet.hosts:
        heard = {"fire": ("fire", "recovery"), "send": ("send.email", "send.letters")}
        for worker, queue in ((worker, queue) for worker, queues in heard.items() for queue in queues):
            assert f"{worker}@{name}  hears {queue}: " in answered.output


def test_a_worker_that_is_not_there_is_missed(workers: Callable[..., Result]) -> None:
    answered = workers("fire@a", "fire@nowhere", "--timeout", "1")
    assert answered.exit_code == 1
    assert "fire@nowhere  does not answer" in answered.output


@pytest.mark.parametrize("way", DEAFEN)
def test_a_worker_that_no_longer_hears_ends_to_be_started_again_and_makes_nobody_late(
    way: str, lone_worker: subprocess.Popen[bytes], celery_setup: FleetSetup, alerts: Alerts, tmp_path: Path
) -> None:
    DEAFEN[way](celery_setup.app)
    took = until(lambda: lone_worker.poll() is not None, within=20, what="the end of a deaf worker")
    measured(f"{way}: the worker ended after {took:.1f} s, with a canary a second")
    assert lone_worker.returncode == EXIT_CODE
    log = (tmp_path / "log").read_text()
    assert "deaf" in log
    assert "queues=['fire']" in log or way != "consumer cancelled"
    # What it was given and did not take up is the others' again.
    alert = alerts.raise_with(node("deaf-1@example.org", 0), node("deaf-2@example.org", 1))
    alert.await_delivered(2, within=10)


def test_a_worker_that_cannot_reach_the_broker_is_not_deaf(
    celery_setup: FleetSetup, fleet: Fleet, workers: Callable[..., Result]
) -> None:
    before = {service.name: service.pid for service in fleet.workers}
    broker: Broker = celery_setup.broker
    broker.kill()
    broker.start()
    try:
        until(lambda: workers(*before).exit_code == 0, within=30, what="all workers")
    except AssertionError as error:
        raise AssertionError(f"{error}: {workers(*before).output}") from error
    assert {service.name: service.pid for service in fleet.workers} == before
