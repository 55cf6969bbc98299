"""The page of who may do what is the one that is made from the code; so is the description."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from api.permissions import permissions_page
from tests.integration.test_roles import action_of, team_calls

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"


def test_the_committed_page_is_what_is_made() -> None:
    assert PAGE.read_text() == permissions_page(), "run: python -m api.permissions > docs/permissions.md"


def test_the_description_names_the_permission_of_every_route(app: Flask) -> None:
    paths = (app.test_client().get("/openapi.json").json or {})["paths"]
    for rule, method in team_calls(app):
        path = rule.rule.replace("<uuid:", "{").replace("<number:", "{").replace(">", "}")
        assert paths[path][method.lower()]["x-permission"] == action_of(app, rule), path
