"""The alerts about AlertOps itself: Prometheus' own tool reads and tries them, and their metrics exist."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import yaml

from alertops.escalation.states import OPEN_FOR_DEDUPLICATION, UNFINISHED
from alertops.services.measure import Figures, OpenWork, QueueDepth, Queues, RecoveryFigures
from alertops.services.recover import Loss
from api.exposition import Exposition
from deploy.local import binaries

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = FOLDER / "alertops.rules.yml"
TRIALS = FOLDER / "alertops.tests.yml"


def promtool(*arguments: str) -> None:
    binaries.ensure_installed([binaries.PROMETHEUS], report=print)
    command = [str(binaries.promtool()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


def exposed() -> set[str]:
    """The names of all samples that a scrape can have."""
    work = OpenWork(
        executions=dict.fromkeys(OPEN_FOR_DEDUPLICATION, 0),
        attempts=dict.fromkeys(UNFINISHED, 0),
        letters=dict.fromkeys(UNFINISHED, 0),
        letters_failed=0,
        steps_waiting=0,
        steps_overdue=0,
        attempts_overdue=0,
        oldest_overdue_seconds=0.0,
    )
    recovery = RecoveryFigures(dict.fromkeys(Loss, 0), 0, 0, datetime.now(UTC), 0.0)
    queues = Queues({"fire": QueueDepth(0, 0)}, dead_letters=0)
    families = Exposition(Figures(recovery, work), queues, "1").collect()
    return {sample.name for family in families for sample in family.samples}


def test_the_rules_are_what_prometheus_reads() -> None:
    promtool("check", "rules", str(RULES))


def test_each_alert_fires_when_it_must_and_is_silent_when_nothing_is_wrong() -> None:
    promtool("test", "rules", str(TRIALS))


def test_the_rules_ask_for_metrics_that_exist() -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"\balertops_\w+", rule["expr"])}
    assert asked
    assert asked <= exposed()


def test_every_alert_is_tried() -> None:
    alerts = {rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}
    tried = set(re.findall(r'alertname="(\w+)"', TRIALS.read_text()))
    assert alerts == tried
