"""Every flow of the cookbook is a flow: it is read, planned, and named in the cookbook's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alertops.escalation.diff import diff
from alertops.escalation.flow import flow_to_json
from alertops.escalation.plan import Course, plan
from alertops.escalation.preview import preview
from alertops.escalation.rows import Target
from alertops.escalation.states import ExecutionStatus
from alertops.flow_files.definition import content_of, definition_of, flow_of
from alertops.flow_files.read import read_flow, read_flow_file
from alertops.flow_files.write import write_flow

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook"
RECIPES = sorted(COOKBOOK.glob("*.yaml"))
USER_IDS = {f"{name}@example.org": f"00000000-0000-4000-8000-{number:012}"
            for number, name in enumerate(("ann", "ben", "dora", "emil", "mara"))}  # fmt: skip

# When the last node fires for the last time, if nobody answers.
ENDS = {
    "business-hours": timedelta(minutes=10),
    "database": timedelta(minutes=30),
    "follow-the-sun": timedelta(minutes=30),
    "informational": timedelta(0),
    "noisy-warnings": timedelta(minutes=30),
    "security-incident": timedelta(minutes=30),
    "solo": timedelta(minutes=15),
    "text-messages": timedelta(minutes=5),
    "three-levels": timedelta(minutes=15),
    "until-answered": timedelta(minutes=170),
}


def test_the_page_names_each_and_no_other() -> None:
    page = (COOKBOOK / "README.md").read_text()
    assert {recipe.stem for recipe in RECIPES} == set(ENDS)
    assert all(f"[{recipe.name}]({recipe.name})" in page for recipe in RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_is_planned_as_it_says(recipe: Path) -> None:
    flow = flow_of(definition_of(read_flow_file(recipe), USER_IDS))
    anchor = datetime(2026, 1, 31, tzinfo=UTC)
    steps = list(plan(flow, Course(anchor)))
    assert len(steps) == len(flow.nodes) * (flow.repeat + 1)
    assert steps[-1].due_at - anchor == ENDS[recipe.stem]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_is_previewed_to_its_end(recipe: Path) -> None:
    """Nobody answers, and every message arrives: each node fires when it says, and then it is over."""
    flow = flow_of(definition_of(read_flow_file(recipe), USER_IDS))
    start = datetime(2026, 1, 31, tzinfo=UTC)
    told = preview(flow, start, lambda node, _: [Target("email", f"{node.name}@example.org")])
    fired = [entry for entry in told.entries if entry.event == "step_fired"]
    assert [(step.node_name, step.at) for step in fired] == [
        (step.node_name, step.due_at) for step in plan(flow, Course(start))
    ]
    assert len([entry for entry in told.entries if entry.event == "attempt_delivered"]) == len(fired)
    ends = {None: ExecutionStatus.EXHAUSTED}.get(flow.resolve_after_seconds, ExecutionStatus.RESOLVED)
    assert told.status is ends


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_that_was_applied_is_exported_as_the_same(recipe: Path) -> None:
    definition = definition_of(read_flow_file(recipe), USER_IDS)
    told: dict[str, Any] = flow_to_json(flow_of(definition))
    exported = write_flow(content_of(told, {user_id: address for address, user_id in USER_IDS.items()}))
    again = flow_of(definition_of(read_flow(exported, "again.yaml"), USER_IDS), told)
    assert not any(vars(diff(flow_of(told), again)).values())
