"""What is wrong beside the body: the query, the route, the method; and what is wrong on our side."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.integration.api_client import API, Person, assert_problem, person


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
        ("cursor=rubbish", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=%FF%C3%A4", "cursor"),
        ("cursor=a&cursor=b", "cursor"),
        ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cursor"),
        ("offset=5", "offset"),
        ("status=asleep", "status"),
        ("status=running&status=resolved", "status"),
    ],
)
def test_a_fault_in_the_query_names_the_parameter(ann: Person, query: str, parameter: str) -> None:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    problem = assert_problem(ann.get(f"/teams/{team}/executions?{query}"), 422)
    assert {error["parameter"] for error in problem["errors"]} == {parameter}


@pytest.mark.parametrize("path", ["/", "/nope", API, f"{API}/nope", f"{API}/teams/", f"{API}/teams/%00"])
def test_an_unknown_route_is_a_problem(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(path), 404)


def test_a_method_that_a_route_does_not_have_is_a_problem(client: FlaskClient) -> None:
    answer = client.delete(f"{API}/teams")
    assert_problem(answer, 405)
    assert "POST" in answer.headers["Allow"]


def test_an_unforeseen_error_tells_the_caller_nothing(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr("api.views.teams.teams_of", broken)
    answer = ann.get("/teams")
    assert_problem(answer, 500)
    assert "swordfish" not in answer.text
