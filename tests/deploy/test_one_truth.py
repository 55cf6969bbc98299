"""Containers, Kubernetes, systemd and a checkout start the same processes, and end them alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from alertops.config import Timing
from api.config import MAX_BODY_BYTES
from deploy import commands
from deploy.local.fleet import Fleet
from deploy.local.stack import Addresses
from tasks.queues import RECOVERY, task_queues
from tests.deploy.deployed import BASE, DEPLOY, Deployed, clustered, composed, manifests, normal, units

COMMANDS = {
    "api": commands.API,
    "flower": commands.FLOWER,
    "migrate": commands.MIGRATE,
    **{kind.name: kind.command("%h") for kind in commands.WORKERS},
}
WAYS = [composed, clustered, units]
SENDS_WITHIN = Timing().lease
REQUESTS_WITHIN = int(commands.API[commands.API.index("--graceful-timeout") + 1])


@pytest.mark.parametrize("way", WAYS, ids=["compose", "kubernetes", "systemd"])
def test_every_way_starts_the_same_processes(way: Callable[[], dict[str, Deployed]]) -> None:
    started = {name: normal(deployed.command) for name, deployed in way().items()}
    assert started == {name: normal(command) for name, command in COMMANDS.items()}


def test_a_checkout_starts_them_too(tmp_path: Path) -> None:
    fleet = Fleet(
        tmp_path, Addresses("postgresql://nobody@localhost/none", "amqp://localhost//"), webhooks=True
    )
    of_a_host = {kind.name: kind.command("a") for kind in commands.WORKERS}
    started = {service.name.removesuffix("@a"): normal(tuple(service.command)) for service in fleet.services}
    expected = COMMANDS | of_a_host
    assert {name: command for name, command in started.items() if name in expected} == {
        name: normal(command) for name, command in expected.items() if name != "migrate"
    }


def test_every_queue_has_a_worker() -> None:
    """The bulk lanes are taken by whoever takes from the fast one (tasks/lanes.py)."""
    taken = [queue for kind in commands.WORKERS for queue in kind.queues]
    assert len(taken) == len(set(taken))
    assert set(taken) == {queue.name for queue in task_queues() if not queue.name.endswith(".bulk")}
    assert RECOVERY in commands.FIRE.queues


@pytest.mark.parametrize("way", WAYS, ids=["compose", "kubernetes", "systemd"])
def test_each_has_the_time_that_it_needs_to_leave(way: Callable[[], dict[str, Deployed]]) -> None:
    deployed = way()
    for kind in commands.WORKERS:
        assert deployed[kind.name].grace_seconds >= SENDS_WITHIN + 5
        assert deployed[kind.name].stop_signal.name == "SIGTERM"
    assert deployed["api"].grace_seconds >= REQUESTS_WITHIN + 5


@pytest.mark.parametrize("way", [composed, clustered], ids=["compose", "kubernetes"])
def test_a_worker_is_asked_itself_whether_it_hears(way: Callable[[], dict[str, Deployed]]) -> None:
    for kind in commands.WORKERS:
        health = way()[kind.name].health
        assert health
        assert health[-1] == f"alertops workers {kind.name}@$(hostname)"


def test_the_image_starts_the_api_by_itself() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    words = re.findall(r'"([^"]*)"', re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE)[-1])
    assert normal(tuple(words)) == normal(commands.API)
    assert f'"{composed()["api"].health[-1]}"' in dockerfile  # type: ignore[index]  # the API has one


def test_workers_are_scaled_by_queues_that_they_take_from() -> None:
    of_kind = {
        document["metadata"]["name"].removeprefix("alertops-"): document["spec"]
        for document in manifests()
        if document["kind"] == "ScaledObject"
    }
    assert set(of_kind) == {kind.name for kind in commands.WORKERS}
    for kind in commands.WORKERS:
        spec = of_kind[kind.name]
        scaled_by = {trigger["metadata"]["queueName"].removesuffix(".bulk") for trigger in spec["triggers"]}
        assert scaled_by == set(kind.queues) - {RECOVERY}
        assert {trigger["metadata"]["queueName"] for trigger in spec["triggers"]} <= {
            queue.name for queue in task_queues()
        }
        assert spec["scaleTargetRef"]["name"] == f"alertops-{kind.name}"
        assert spec["minReplicaCount"] >= 2


def test_proxies_pass_on_as_much_as_the_api_takes() -> None:
    nginx = (DEPLOY / "nginx" / "alertops.conf.template").read_text()
    assert f"client_max_body_size {MAX_BODY_BYTES // 1024**2}m;" in nginx
    ingress = yaml.safe_load((BASE.parent / "overlays/example/ingress.yaml").read_text())
    said = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert said == f"{MAX_BODY_BYTES // 1024**2}m"


def test_the_api_believes_the_one_proxy_that_stands_before_it() -> None:
    assert composed()["api"].environment["ALERTOPS_TRUSTED_PROXIES"] == "1"
    assert units()["api"].environment["ALERTOPS_TRUSTED_PROXIES"] == "1"
    overlay = (BASE.parent / "overlays/example/kustomization.yaml").read_text()
    assert "- ALERTOPS_TRUSTED_PROXIES=1\n" in overlay
