"""What is in a body is data of the caller's own team, or it is refused: on every route that takes one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.integration.api_client import row_counts
from tests.integration.test_api_isolation import BODIES
from tests.security.conftest import Place, second_of_each
from tests.security.described import Body, Spot, bodies, document, read_only_names, spots

# Columns that are told to nobody.
SECRET_NAMES = {"password_hash", "email_verified_at", "deleted_at", "is_admin", "hash", "__proto__"}
SPLIT = "x\r\nSet-Cookie: planted=1\r\nX-Planted: 1"


def send(place: Place, body: Body, content: Any) -> Any:
    path = body.path
    for name, value in place.ids.items():
        path = path.replace(f"{{{name}}}", str(value))
    return place.owner.call(body.method, path, content, headers={"If-Match": "*"})


def objects(body: Body) -> list[Spot]:
    """The places of objects whose members are all described."""
    return [spot for spot in spots(body.schema) if "properties" in spot.schema or "oneOf" in spot.schema]


def pointers(answer: Any) -> set[str]:
    return {error.get("pointer") for error in (answer.json or {}).get("errors", [])}


def test_no_body_takes_a_member_that_it_does_not_describe(app: Flask, ann: Place) -> None:
    names, tried = read_only_names(app) | SECRET_NAMES, 0
    for body in bodies(app):
        for spot in objects(body):
            known = {other.pointer for other in spots(body.schema)}
            planted = {name for name in names if f"{spot.pointer}/{name}" not in known}
            for some in _batches(sorted(planted)):
                answer = send(ann, body, spot.body_with(dict.fromkeys(some, "planted")))
                assert answer.status_code == 422, f"{body.name} takes {spot.pointer}/{some}: {answer.text}"
                refused = pointers(answer)
                taken = [name for name in some if f"{spot.pointer}/{name}" not in refused]
                assert taken == [], f"{body.name} at {spot.pointer}: {answer.text}"
                tried += len(some)
    assert tried > 200


def _batches(names: list[str]) -> Iterator[list[str]]:
    """A few at a time: an answer names twenty faults at most, and some are of what is missing."""
    return (names[start : start + 8] for start in range(0, len(names), 8))


def ids_in(body: Body) -> list[Spot]:
    return [spot for spot in spots(body.schema) if spot.schema.get("format") == "uuid"]


def complete(body: Body, spot: Spot, value: str) -> dict[str, Any]:
    """A body with nothing wrong but this id."""
    by_shape: dict[str, Any] = {
        "/nodes/0/recipient/user_id": lambda: _flow(_node(_user(value))),
        "/nodes/0/recipient/recipients/0/user_id": lambda: _flow(_node(_group(_user(value)))),
        "/recipient/user_id": lambda: _node(_user(value)),
        "/recipient/recipients/0/user_id": lambda: _node(_group(_user(value))),
        "/node_ids/0": lambda: {"node_ids": [value]},
    }
    if spot.pointer in by_shape:
        made: dict[str, Any] = by_shape[spot.pointer]()
        return made
    return spot.body_with(value)


def _flow(node: dict[str, Any]) -> dict[str, Any]:
    return {**BODIES["flows.create"], "nodes": [node]}


def _node(recipient: dict[str, Any]) -> dict[str, Any]:
    return {**BODIES["nodes.add"], "recipient": recipient}


def _user(user_id: str) -> dict[str, Any]:
    return {"type": "user", "user_id": user_id}


def _group(recipient: dict[str, Any]) -> dict[str, Any]:
    return {"type": "group", "recipients": [recipient, BODIES["nodes.add"]["recipient"]]}


def test_an_id_of_another_team_in_a_body_is_refused_as_one_of_nothing_is(
    app: Flask, ann: Place, ben: Place, session: Session
) -> None:
    before, tried = row_counts(session), 0
    nothing = "00000000-0000-4000-8000-000000000000"
    for body in bodies(app):
        for spot in ids_in(body):
            missing = send(ann, body, complete(body, spot, nothing))
            for name, foreign in ben.ids.items():
                if name in ("number", "token"):
                    continue
                answer = send(ann, body, complete(body, spot, foreign))
                assert 400 <= answer.status_code < 500, f"{body.name} takes {name} at {spot.pointer}"
                alike = json.loads(answer.text.replace(foreign, nothing))
                assert alike == missing.json, f"{body.name} tells of {name} at {spot.pointer}"
                tried += 1
    assert tried >= 20
    assert row_counts(session) == before


def test_a_line_break_in_a_text_becomes_no_header(app: Flask, ann: Place) -> None:
    tried = 0
    for body in bodies(app):
        texts = [spot for spot in spots(body.schema) if spot.schema.get("type") == "string"]
        for spot in texts:
            base = {key: value for key, value in _fit(body).items() if key != spot.pointer[1:]}
            answer = send(ann, body, {**base, **spot.body_with(SPLIT)})
            planted = [name for name, _ in answer.headers if name.lower() in ("set-cookie", "x-planted")]
            assert planted == [], f"{body.name} at {spot.pointer}"
            assert answer.status_code < 500
            tried += 1
    assert tried > 20


def _fit(body: Body) -> dict[str, Any]:
    fits: dict[str, dict[str, Any]] = {"summary": {"summary": "disk full"}, "nodes": BODIES["flows.create"]}
    return next((dict(fit) for name, fit in fits.items() if name in body.schema.get("properties", {})), {})


@pytest.mark.parametrize("path", ["Name", "Query"])
def test_a_line_break_in_a_path_or_query_becomes_no_header(app: Flask, ann: Place, path: str) -> None:
    tail = f"?cursor={path}%0d%0aX-Planted:%201" if path == "Query" else f"/{path}%0d%0aX-Planted:%201"
    answer = ann.owner.get(f"/teams{tail}")
    assert answer.status_code in (404, 422)
    assert "X-Planted" not in answer.headers


def test_a_cursor_of_another_teams_list_gives_nothing_of_it(app: Flask, ann: Place, ben: Place) -> None:
    lists = [
        path
        for path, operations in document(app)["paths"].items()
        if any(p.get("name") == "cursor" for p in operations.get("get", {}).get("parameters", []))
    ]
    assert len(lists) >= 5
    second_of_each(app, ann)
    theirs = {str(value) for name, value in ann.ids.items() if name not in ("number", "token")}
    for path in lists:
        own, other = (path.format(**place.ids) for place in (ben, ann))
        cursor = (ann.owner.get(f"{other}?limit=1").json or {})["next_cursor"]
        assert cursor, f"{path} has no second page"
        answer = ben.owner.get(f"{own}?limit=100&cursor={cursor}")
        assert answer.status_code == 200
        assert not [id_ for id_ in theirs if id_ in answer.text], f"{path} leaks"
