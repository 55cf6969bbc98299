"""The API describes itself: valid OpenAPI 3.1, complete, and readable without the internet."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.integration.api_client import API

WEBHOOKS = ("alertmanager", "grafana", "generic", "cloudevents")


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    described: dict[str, Any] = answer.json or {}
    return described


def test_the_description_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_described_with_its_problems(app: Flask, document: dict[str, Any]) -> None:
    for rule in app.url_map.iter_rules():
        # The page that a mail links to is for people, and none of the API's.
        if rule.endpoint.partition(".")[0] not in ("api-docs", "swagger_ui", "answer_page"):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                operation = document["paths"][path][method.lower()]
                assert operation["summary"]
                assert operation["responses"]["default"] == {"$ref": "#/components/responses/DEFAULT_ERROR"}
    problem = document["components"]["responses"]["DEFAULT_ERROR"]["content"]
    assert list(problem) == ["application/problem+json"]


def test_what_needs_no_token_says_so_and_the_rest_needs_one(document: dict[str, Any]) -> None:
    assert document["security"] == [{"accessToken": []}]
    assert document["components"]["securitySchemes"]["accessToken"]["scheme"] == "bearer"
    exceptions = {
        path: operation["security"]
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if isinstance(operation, dict) and "security" in operation
    }
    assert exceptions == {
        f"{API}/auth/register": [],
        f"{API}/auth/login": [],
        f"{API}/auth/password-reset": [],
        f"{API}/auth/password-reset/confirm": [],
        f"{API}/auth/refresh": [{"refreshToken": []}],
        # Whoever has the token of a mail needs no account.
        f"{API}/stop/{{token}}": [],
        f"{API}/confirm/{{token}}": [],
        f"{API}/invitations/{{token}}": [{}, {"accessToken": []}],
        f"{API}/invitations/{{token}}/accept": [{}, {"accessToken": []}],
        f"{API}/invitations/{{token}}/decline": [{}, {"accessToken": []}],
        "/healthz": [],
        "/readyz": [],
        "/metrics": [],
        # The key of an integration is in the path, in the body, or a bearer token of another kind.
        "/heartbeats/{key}": [],
        "/v2/enqueue": [],
        "/v2/change/enqueue": [],
        **{f"/integrations/{kind}": [] for kind in WEBHOOKS},
        **{f"/integrations/{kind}/{{key}}": [] for kind in WEBHOOKS},
    }


def test_every_change_of_a_flow_is_described_as_conditional(document: dict[str, Any]) -> None:
    changes = {
        f"{method} {path.removeprefix(API)}": {one["name"] for one in operation.get("parameters", [])}
        for path, operations in document["paths"].items()
        if path.startswith(f"{API}/flows/") and "/executions" not in path
        for method, operation in operations.items()
        if method not in ("get", "parameters")
    }
    assert len(changes) == 9
    assert {name for name, parameters in changes.items() if "If-Match" not in parameters} == set()


def test_every_field_says_its_type(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.keys() & {"type", "$ref", "oneOf", "allOf", "anyOf"}, f"{name}.{field}"


def test_the_pages_that_show_it_fetch_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs/")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    for source in sources:
        assert source.startswith("/docs/")
        assert client.get(source).status_code == 200
    assert "/openapi.json" in page.text
