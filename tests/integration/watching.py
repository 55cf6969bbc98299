"""What rules and dashboards ask of Prometheus, and what a real scrape has to answer with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import binaries

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = sorted((DEPLOY / "prometheus").glob("*.rules.yml"))
TRIALS = sorted((DEPLOY / "prometheus").glob("*.tests.yml"))
# What Prometheus adds to each series.
ADDED = frozenset({"instance", "job"})

Known = Mapping[str, Mapping[str, frozenset[str]]]
"""The names of samples; of each its labels, and their values."""


def promtool(*arguments: str) -> None:
    binaries.ensure_installed([binaries.PROMETHEUS], report=print)
    command = [str(binaries.promtool()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    """All rules of all files."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def known(scraped: str) -> Known:
    """What a scrape has, and what Prometheus makes of it: alerts, and one series for each recording rule."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(scraped):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    recorded: dict[str, dict[str, set[str]]] = {rule["record"]: {} for rule in rules() if "record" in rule}
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    states = {"alertname": alerts, "alertstate": {"pending", "firing"}, "page": {"true", "false"}}
    return {
        name: {label: frozenset(values) for label, values in labels.items()}
        for name, labels in (found | recorded | {"ALERTS": states}).items()
    }


@dataclass(frozen=True)
class Question:
    """An expression: its selectors, and the labels that it groups or matches by."""

    selectors: tuple[promql.VectorSelector, ...]
    labels: frozenset[str]

    @classmethod
    def of(cls, expression: str) -> Question:
        """Raises ValueError when it is none."""
        nodes: list[Any] = []
        promql.walk(promql.parse(expression), nodes.append)
        modifiers = (getattr(node, "modifier", None) for node in nodes)
        return cls(
            tuple(node for node in nodes if isinstance(node, promql.VectorSelector)),
            frozenset(label for modifier in modifiers if modifier for label in _labels(modifier)),
        )

    def faults(self, known: Known) -> Iterator[str]:
        """What it asks for and nobody will ever answer."""
        for selector in self.selectors:
            if selector.name not in known:
                yield f"there is no {selector.name}"
                continue
            yield from _faults(selector, known[selector.name])
        there = {label for each in self.selectors for label in known.get(each.name, {})} | ADDED
        yield from (f"nothing of it has the label {label}" for label in self.labels - there)


def _labels(modifier: Any) -> list[str]:
    grouping = modifier if isinstance(modifier, promql.AggModifier) else modifier.matching
    return list(grouping.labels) if grouping else []


def _faults(selector: promql.VectorSelector, labels: Mapping[str, frozenset[str]]) -> Iterator[str]:
    for matcher in selector.matchers.matchers:
        if matcher.name in ADDED:
            continue
        if matcher.name not in labels:
            yield f"{selector.name} has no label {matcher.name}"
        elif matcher.op == promql.MatchOp.Equal and matcher.value not in labels[matcher.name]:
            yield f'{selector.name} never has {matcher.name}="{matcher.value}"'
