"""The rules about AlertOps itself: Prometheus' own tool reads and tries them, and their metrics exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.watching import RULES, TRIALS, Known, Question, promtool, rules

ASKING = [rule for rule in rules() if "expr" in rule]


def name(rule: dict[str, str]) -> str:
    return rule.get("alert") or rule["record"]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_the_rules_are_what_prometheus_reads(path: Path) -> None:
    promtool("check", "rules", str(path))


@pytest.mark.parametrize("path", TRIALS, ids=lambda path: path.name)
def test_each_alert_fires_when_it_must_and_is_silent_when_nothing_is_wrong(path: Path) -> None:
    promtool("test", "rules", str(path))


@pytest.mark.parametrize("rule", ASKING, ids=name)
def test_a_rule_asks_for_metrics_labels_and_values_that_a_scrape_has(
    rule: dict[str, str], scraped: Known
) -> None:
    question = Question.of(rule["expr"])
    assert question.selectors
    assert list(question.faults(scraped)) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("alertops_steps_latest", "there is no alertops_steps_latest"),
        ("alertops:steps_late:ratio_rate2h > 1", "there is no alertops:steps_late:ratio_rate2h"),
        ('rate(alertops_recovered_total{queue="fire"}[5m])', "alertops_recovered_total has no label queue"),
        (
            'alertops_step_lateness_seconds_bucket{le="1"}',
            'alertops_step_lateness_seconds_bucket never has le="1"',
        ),
        ("sum by (team) (alertops_executions)", "nothing of it has the label team"),
        (
            "alertops_steps_overdue / on (team) alertops_executions",
            "nothing of it has the label team",
        ),
    ],
)
def test_what_a_scrape_does_not_have_is_noticed(expression: str, fault: str, scraped: Known) -> None:
    assert list(Question.of(expression).faults(scraped)) == [fault]


def test_what_is_no_expression_is_noticed() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        Question.of("sum by (le (alertops_executions)")


def test_every_alert_is_tried() -> None:
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    told = "".join(path.read_text() for path in TRIALS)
    assert alerts == set(re.findall(r'alertname(?:="|: )(AlertOps\w+)', told))
