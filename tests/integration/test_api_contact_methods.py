"""People say how they want to be told: a whole list, which is taken as it is or refused with the place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import insert, select, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from alertops.models import ContactMethods, Team
from alertops.services.access.actor import Person as Caller
from alertops.services.access.actor import Program
from alertops.services.access.wall import raise_the_wall
from alertops.services.dispatch import Dispatcher
from alertops.services.fire_step import fire_step
from alertops.services.keys import StepKey
from tests.integration.api_client import Person, a_flow, a_node, assert_problem, person
from tests.integration.crew import join
from tests.integration.world import Broker

PAGE = (Path(__file__).parents[2] / "docs" / "recipients.md").read_text()
PATH = "/me/contact-methods"
NIGHT = {"from": "22:00", "to": "07:00", "time_zone": "Europe/Berlin"}
HOOK = {"channel": "webhook", "url": "https://hooks.example.org/ann"}


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


def put(ann: Person, *methods: Any) -> Any:
    return ann.call("PUT", PATH, {"methods": list(methods)})


def quiet(**changes: Any) -> dict[str, Any]:
    return {"channel": "email", "quiet": {**NIGHT, **changes}}


def test_who_has_said_nothing_has_an_empty_list(ann: Person) -> None:
    assert ann.get(PATH).json == {"methods": []}


def test_a_list_is_replaced_whole_and_shown_with_all_that_was_not_said(ann: Person) -> None:
    answer = put(ann, {**HOOK, "after_seconds": 120}, quiet(days=["friday", "monday"]))
    assert answer.status_code == 200
    said = {
        "methods": [
            {**HOOK, "after_seconds": 120, "quiet": None},
            {
                "channel": "email",
                "after_seconds": 0,
                "quiet": {**NIGHT, "days": ["friday", "monday"], "except_severities": ["critical"]},
            },
        ]
    }
    assert answer.json == ann.get(PATH).json == said
    assert put(ann, HOOK).status_code == 200
    assert len((ann.get(PATH).json or {})["methods"]) == 1
    assert put(ann).json == ann.get(PATH).json == {"methods": []}


def test_a_list_is_ones_own(app: Flask, ann: Person) -> None:
    put(ann, HOOK)
    assert person(app, "ben").get(PATH).json == {"methods": []}


FAULTS: list[tuple[Any, str]] = [
    ({}, "/methods"),
    ({"methods": None}, "/methods"),
    ({"methods": {}}, "/methods"),
    ({"methods": [{"channel": "email"}] * 6}, "/methods"),
    ({"methods": [], "more": 1}, "/more"),
    ({"methods": ["email"]}, "/methods/0"),
    ({"methods": [{}]}, "/methods/0/channel"),
    ({"methods": [{"channel": "pigeon"}]}, "/methods/0/channel"),
    ({"methods": [{"channel": "email", "url": "https://example.org"}]}, "/methods/0/url"),
    ({"methods": [{"channel": "email", "email": "x@example.org"}]}, "/methods/0/email"),
    ({"methods": [{"channel": "email"}, {"channel": "email", "after_seconds": 9}]}, "/methods/1"),
    ({"methods": [HOOK, {"channel": "email"}, {**HOOK, "after_seconds": 9}]}, "/methods/2"),
    ({"methods": [{"channel": "webhook"}]}, "/methods/0/url"),
    ({"methods": [{**HOOK, "url": "ftp://example.org"}]}, "/methods/0/url"),
    ({"methods": [{**HOOK, "url": "https://me:pw@example.org"}]}, "/methods/0/url"),
    ({"methods": [{**HOOK, "url": "https://example.org/" + "x" * 2000}]}, "/methods/0/url"),
    ({"methods": [{**HOOK, "after_seconds": -1}]}, "/methods/0/after_seconds"),
    ({"methods": [{**HOOK, "after_seconds": 86401}]}, "/methods/0/after_seconds"),
    ({"methods": [{**HOOK, "after_seconds": "60"}]}, "/methods/0/after_seconds"),
    ({"methods": [{**HOOK, "quiet": "always"}]}, "/methods/0/quiet"),
    ({"methods": [{**HOOK, "quiet": {}}]}, "/methods/0/quiet/from"),
    ({"methods": [quiet(**{"from": "24:00"})]}, "/methods/0/quiet/from"),
    ({"methods": [quiet(**{"from": "7:00"})]}, "/methods/0/quiet/from"),
    ({"methods": [quiet(to="07:00\n")]}, "/methods/0/quiet/to"),
    ({"methods": [quiet(to="07:00:30")]}, "/methods/0/quiet/to"),
    ({"methods": [quiet(to=7)]}, "/methods/0/quiet/to"),
    ({"methods": [quiet(time_zone="Mars/Olympus")]}, "/methods/0/quiet/time_zone"),
    ({"methods": [quiet(time_zone="../../etc/passwd")]}, "/methods/0/quiet/time_zone"),
    ({"methods": [quiet(time_zone="Europe")]}, "/methods/0/quiet/time_zone"),
    ({"methods": [quiet(time_zone="localtime")]}, "/methods/0/quiet/time_zone"),
    ({"methods": [quiet(days=[])]}, "/methods/0/quiet/days"),
    ({"methods": [quiet(days=["funday"])]}, "/methods/0/quiet/days/0"),
    ({"methods": [quiet(days=["monday", "friday", "monday"])]}, "/methods/0/quiet/days/2"),
    ({"methods": [quiet(except_severities=["panic"])]}, "/methods/0/quiet/except_severities/0"),
    ({"methods": [quiet(except_severities=["info", "info"])]}, "/methods/0/quiet/except_severities/1"),
    ({"methods": [quiet(except_severities=None)]}, "/methods/0/quiet/except_severities"),
    ({"methods": [quiet(until="08:00")]}, "/methods/0/quiet/until"),
]


def test_what_cannot_be_meant_is_refused_at_its_place_and_changes_nothing(ann: Person) -> None:
    before = put(ann, HOOK).json
    for body, pointer in FAULTS:
        problem = assert_problem(ann.call("PUT", PATH, body), 422)
        assert pointer in [error["pointer"] for error in problem["errors"]], f"{body}: {problem['errors']}"
    assert ann.get(PATH).json == before


def test_nodes_name_roles_webhooks_and_groups(ann: Person) -> None:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    mail = {"type": "email", "email": "x@example.org"}
    hook = {"type": "webhook", "url": "https://hooks.example.org/team"}
    of_role = {"type": "role", "role": "admin"}
    myself = {"type": "user", "user_id": str(ann.id)}
    recipients = [of_role, hook, {"type": "group", "recipients": [mail, myself, of_role, hook]}]
    nodes = [a_node(str(n), recipient=each) for n, each in enumerate(recipients)]
    flow = ann.make(f"/teams/{team}/flows", a_flow(*nodes))
    assert [node["recipient"] for node in flow["nodes"]] == recipients
    shown = ann.get(f"/flows/{flow['id']}/revisions/1").json or {}
    assert [node["recipient"] for node in shown["nodes"]] == recipients
    swapped = {"type": "group", "recipients": [hook, mail]}
    path = f"/flows/{flow['id']}/nodes/{flow['nodes'][2]['id']}"
    assert ann.call("PATCH", path, {"recipient": swapped}, headers={"If-Match": "*"}).status_code == 200
    told = ann.get(f"/flows/{flow['id']}/revisions/1/diff").json or {}
    # A recipient is one value: half of another one makes no sense.
    assert [change["pointer"] for change in told["nodes"]["changed"][0]["changes"]] == ["/recipient"]


def a_group(*recipients: Any) -> dict[str, Any]:
    return {"type": "group", "recipients": list(recipients)}


ONE, TWO = ({"type": "email", "email": f"{name}@example.org"} for name in ("one", "two"))
GROUP_FAULTS: list[tuple[Any, str]] = [
    ({"type": "role"}, "/role"),
    ({"type": "role", "role": "boss"}, "/role"),
    ({"type": "webhook", "url": "https://example.org:0"}, "/url"),
    ({"type": "webhook", "url": 5}, "/url"),
    (a_group(), "/recipients"),
    (a_group(ONE), "/recipients"),
    (a_group(*({"type": "email", "email": f"{n}@example.org"} for n in range(11))), "/recipients"),
    (a_group(ONE, a_group(ONE, TWO)), "/recipients/1/type"),
    (a_group(ONE, TWO, {"type": "email", "email": "ONE@example.org"}), "/recipients/2"),
    (a_group(ONE, {"type": "email", "email": "two"}), "/recipients/1/email"),
    (a_group(ONE, {"type": "user", "user_id": "me"}), "/recipients/1/user_id"),
    (
        a_group(ONE, {"type": "user", "user_id": "00000000-0000-4000-8000-000000000000"}),
        "/recipients/1/user_id",
    ),
]


def test_a_recipient_that_cannot_be_meant_is_refused_at_its_place(ann: Person) -> None:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    for recipient, pointer in GROUP_FAULTS:
        flow = a_flow(a_node(), a_node("second", recipient=recipient))
        problem = assert_problem(ann.post(f"/teams/{team}/flows", flow), 422)
        assert [error["pointer"] for error in problem["errors"]] == [f"/nodes/1/recipient{pointer}"]
    made = ann.make(f"/teams/{team}/flows", a_flow())
    path = f"/flows/{made['id']}/nodes/{made['nodes'][0]['id']}"
    stranger = GROUP_FAULTS[-1][0]
    answer = ann.call("PATCH", path, {"recipient": stranger}, headers={"If-Match": "*"})
    assert [e["pointer"] for e in assert_problem(answer, 422)["errors"]] == [
        "/recipient/recipients/1/user_id"
    ]


def test_what_the_page_shows_is_taken_as_it_stands_there(ann: Person) -> None:
    recipient, methods, _timeline = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.S)
    )
    team = ann.make("/teams", {"name": "Operations"})["id"]
    assert ann.make(f"/teams/{team}/flows", a_flow(a_node(recipient=recipient)))
    assert put(ann, *methods["methods"]).status_code == 200


def test_a_team_does_not_see_the_secret_of_a_members_webhook(
    app: Flask, ann: Person, session: Session
) -> None:
    secret = "https://hooks.example.org/its-secret"
    put(ann, {**HOOK, "url": secret})
    team = ann.make("/teams", {"name": "Operations"})["id"]
    node = a_node(recipient={"type": "role", "role": "owner"}, delay_seconds=0)
    flow = ann.make(f"/teams/{team}/flows", a_flow(node))
    execution = ann.make(f"/flows/{flow['id']}/executions", {"summary": "disk full"})["id"]
    fire_step(session, Dispatcher(Broker()), StepKey(UUID(execution), 1))
    shown = ann.get(f"/executions/{execution}")
    (attempt,) = (shown.json or {})["steps"][0]["attempts"]
    assert (attempt["address"], attempt["user_id"]) == ("https://hooks.example.org/…", str(ann.id))
    assert "its-secret" not in shown.text + ann.get(f"/executions/{execution}/timeline").text


def test_behind_the_wall_colleagues_lists_are_read_and_only_ones_own_is_written(
    app: Flask, ann: Person, session: Session, sessions: sessionmaker[Session]
) -> None:
    ben, cleo, stranger = (person(app, name) for name in ("ben", "cleo", "stranger"))
    team = Team(name="Operations")
    session.add(team)
    session.flush()
    for each in (ann, ben, cleo):
        join(session, team.id, each, "member")
    for each in (ann, ben, stranger):
        put(each, HOOK)
    query = select(ContactMethods.user_id)
    for actor in (Caller(ann.id), Program(uuid4(), team.id, frozenset())):
        with sessions() as walled:
            raise_the_wall(walled, actor)
            assert set(walled.scalars(query)) == {ann.id, ben.id}
            emptied = walled.execute(
                update(ContactMethods).values(methods=[]).returning(ContactMethods.user_id)
            )
            assert set(emptied.scalars()) == ({ann.id} if isinstance(actor, Caller) else set())
            walled.rollback()
            with pytest.raises(ProgrammingError, match="row-level security"):
                walled.execute(insert(ContactMethods).values(user_id=cleo.id, methods=[]))
    assert (ben.get(PATH).json or {})["methods"] != []
