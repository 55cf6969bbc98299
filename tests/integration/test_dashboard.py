"""The dashboard asks for what a real scrape and the rules have, and Grafana can lay it out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from tests.integration.watching import DEPLOY, Known, Question

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "alertops.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ROWS = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
# Kinds of panels that come with Grafana itself.
BUILT_IN = {"stat", "timeseries", "heatmap"}
COLUMNS = 24
# What Grafana puts in place of its own variables.
GIVEN = {"$__rate_interval": "5m"}


def expressions() -> Iterator[Any]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield pytest.param(
                target["expr"], target["legendFormat"], id=f"{panel['title']}-{target['refId']}"
            )
    for note in DASHBOARD["annotations"]["list"]:
        yield pytest.param(note["expr"], note["titleFormat"], id=note["name"])


@pytest.mark.parametrize(("expression", "legend"), list(expressions()))
def test_a_panel_asks_for_metrics_labels_and_values_that_there_are(
    expression: str, legend: str, scraped: Known
) -> None:
    for variable, value in GIVEN.items():
        expression = expression.replace(variable, value)
    question = Question.of(expression)
    assert question.selectors
    assert list(question.faults(scraped)) == []
    shown = set(re.findall(r"{{(\w+)}}", legend))
    kept = question.labels | {each.name for s in question.selectors for each in s.matchers.matchers}
    assert shown <= kept, "the legend shows a label that the expression has taken away"


def test_every_metric_that_is_watched_is_on_it(scraped: Known) -> None:
    """But for what is shown as something else, or is about nothing that changes by the hour."""
    asked = {
        selector.name
        for panel in PANELS
        for target in panel["targets"]
        for selector in Question.of(target["expr"].replace("$__rate_interval", "5m")).selectors
    }
    elsewhere = {
        "alertops_build_info",
        "alertops_broker_epochs_total",
        "alertops_recovery_last_run_seconds",
        "alertops_recovery_runs_total",
        "alertops_steps_waiting",
    }
    metrics = {
        name for name in scraped if name.startswith("alertops_") and not re.search("_(count|sum)$", name)
    }
    assert metrics - asked == elsewhere


def test_the_data_source_is_for_whoever_looks_to_choose() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    sources = [panel["datasource"] for panel in PANELS]
    sources += [target["datasource"] for panel in PANELS for target in panel["targets"]]
    sources += [note["datasource"] for note in DASHBOARD["annotations"]["list"]]
    assert all(source == chosen for source in sources)


def test_grafana_reads_it_without_migrating_from_what_it_has_given_up() -> None:
    # 36 came with Grafana 9, which brought this heatmap; higher than 42 is of no Grafana that we know.
    assert 36 <= DASHBOARD["schemaVersion"] <= 42
    assert DASHBOARD["title"] == "AlertOps"
    # An id of a database would overwrite whatever has it there.
    assert "id" not in DASHBOARD
    assert {panel["type"] for panel in PANELS} == BUILT_IN
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_no_panel_lies_upon_another_or_outside() -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in DASHBOARD["panels"]]
    for title, place in places:
        assert place["x"] + place["w"] <= COLUMNS, title
    for (one, a), (other, b) in combinations(places, 2):
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, f"{one} and {other}"


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    for panel in PANELS:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert len(ROWS) == len(set(ROWS)) == 7
