"""Destinations: what a team keeps, what of it is seen, and an alert on its way to one."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from alertops.channels.base import Channel
from alertops.cli import main
from alertops.db import Base
from alertops.escalation.decision import Reason
from alertops.models import Destination, TimelineEntry
from alertops.secret_box import SecretBox, new_key
from alertops.services.destinations import make_destination
from alertops.services.keys import AttemptKey
from alertops.services.send_attempt import send_attempt
from tests.api_environment import SECRETS_KEY
from tests.integration.api_client import a_flow, a_node, assert_problem
from tests.integration.crew import Crew, audited, crew
from tests.integration.raw_http import TAKEN, answer, raw_receiver
from tests.integration.test_apprise_channel import HOOK, apprise, mattermost
from tests.integration.world import World, node

TOKEN = "canary-topic-of-ours"
URL = f"ntfys://ntfy.sh/{TOKEN}"
WANTED = {"name": "Chat of operations", "url": URL}
BOX = SecretBox([SECRETS_KEY])


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def make(team: Crew, **more: Any) -> dict[str, Any]:
    return team.admin.make(f"{team.path}/destinations", {**WANTED, **more})


def path(made: dict[str, Any]) -> str:
    return f"/destinations/{made['id']}"


def to(destination_id: Any) -> dict[str, Any]:
    return {"type": "destination", "destination_id": str(destination_id)}


def test_a_destination_is_made_seen_changed_and_deleted(team: Crew) -> None:
    answered = team.admin.post(f"{team.path}/destinations", WANTED)
    assert answered.status_code == 201
    made = answered.json or {}
    assert answered.headers["Location"].endswith(f"/api/v1{path(made)}")
    shown = {"name": WANTED["name"], "url": "ntfys://…", "created_by": str(team.admin.id), "updated_at": None}
    assert {name: made[name] for name in shown} == shown
    assert team.viewer.get(path(made)).json == made
    assert team.viewer.get(f"{team.path}/destinations").json == {"items": [made], "next_cursor": None}
    changed = team.admin.call("PATCH", path(made), {"name": "Pager", "url": "tgram://123456789:abcdefg_h/12"})
    told = changed.json or {}
    assert (told["name"], told["url"]) == ("Pager", "tgram://…")
    assert told["updated_at"] is not None
    assert team.admin.call("DELETE", path(made)).status_code == 204
    assert_problem(team.admin.get(path(made)), 404)
    assert_problem(team.admin.call("PATCH", path(made), {"name": "x"}), 404)
    assert_problem(team.admin.call("DELETE", path(made)), 404)


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"name": " "}, "/name", "Must not be blank."),
        ({"url": None}, "/url", "may not be null"),
        ({"url": ""}, "/url", "Length must be between"),
        ({"url": "https://hooks.slack.com/services/T/B/secret"}, "/url", "https:// is a webhook"),
        ({"url": "mailto://user:secret@example.com"}, "/url", "There is no scheme mailto://"),
        ({"url": "slack://secret"}, "/url", "This is no URL of Slack. It has the form of: slack://{token_a}"),
        ({"shown": "x"}, "/shown", "Unknown"),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(
    team: Crew, changes: dict[str, Any], pointer: str, sentence: str
) -> None:
    made = make(team)
    for refused in (
        team.admin.post(f"{team.path}/destinations", {**WANTED, "name": "Other", **changes}),
        team.admin.call("PATCH", path(made), changes),
    ):
        [error] = assert_problem(refused, 422)["errors"]
        assert error["pointer"] == pointer
        assert sentence in error["detail"]
        assert "secret" not in refused.text
    assert team.admin.get(path(made)).json == made


def test_what_the_operator_does_not_allow_is_refused(
    team: Crew, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = app.extensions["alertops.destination_keeper"]
    only_slack = make_destination.Keeper(keeper.box, {"slack"})
    monkeypatch.setitem(app.extensions, "alertops.destination_keeper", only_slack)
    [error] = assert_problem(team.admin.post(f"{team.path}/destinations", WANTED), 422)["errors"]
    assert error == {
        "pointer": "/url",
        "detail": "ntfys:// is not among what the operator allows: slack.",
    }


def test_people_choose_by_names_that_are_different(team: Crew) -> None:
    made, other = make(team), make(team, name="Other")
    problem = assert_problem(team.admin.post(f"{team.path}/destinations", WANTED), 409)
    assert problem["current"] == {"name": WANTED["name"]}
    assert_problem(team.admin.call("PATCH", path(other), {"name": made["name"]}), 409)
    assert team.admin.call("PATCH", path(made), {"name": made["name"]}).status_code == 200


def test_a_team_has_so_many_and_no_more(team: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_destination, "MAX_DESTINATIONS", 1)
    make(team)
    problem = assert_problem(team.admin.post(f"{team.path}/destinations", {**WANTED, "name": "B"}), 409)
    assert problem["current"] == {"destinations": 1}


def test_what_is_sent_again_makes_one(team: Crew) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = (team.admin.post(f"{team.path}/destinations", WANTED, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, first.json) == (201, 201, again.json)
    assert len((team.viewer.get(f"{team.path}/destinations").json or {})["items"]) == 1


def test_members_see_them_and_do_not_change_them(team: Crew) -> None:
    made = make(team)
    assert_problem(team.member.post(f"{team.path}/destinations", WANTED), 403)
    assert_problem(team.member.call("PATCH", path(made), {"name": "x"}), 403)
    assert_problem(team.member.call("DELETE", path(made)), 403)
    assert team.member.get(path(made)).json == made


def test_nothing_of_a_url_is_in_any_table_nor_in_any_answer(team: Crew, session: Session) -> None:
    made = make(team)
    flow = team.admin.make(f"{team.path}/flows", a_flow(a_node("chat", recipient=to(made["id"]))))
    changed = f"ntfys://ntfy.sh/{TOKEN}-changed"
    answers = [
        team.admin.post(
            f"{team.path}/destinations", {**WANTED, "name": "B"}, headers={"Idempotency-Key": "k"}
        ),
        team.admin.call("PATCH", path(made), {"url": changed}),
        team.admin.get(f"{team.path}/destinations"),
        team.admin.get(f"{team.path}/audit-log"),
        team.admin.get(f"/flows/{flow['id']}/revisions/1"),
        team.admin.get(f"/flows/{flow['id']}/preview"),
    ]
    assert [each.status_code for each in answers] == [201, *[200] * 5]
    assert not [each.request.path for each in answers if TOKEN in each.text]
    for table in Base.metadata.sorted_tables:
        stored = " ".join(session.scalars(text(f"SELECT t::text FROM {table.name} t")))
        assert TOKEN not in stored, table.name
    sealed = {row.name: BOX.open(row.sealed) for row in session.scalars(select(Destination))}
    assert sealed == {WANTED["name"]: changed, "B": URL}


def test_changes_are_told_in_the_audit_log(team: Crew, session: Session) -> None:
    made = make(team)
    team.admin.call("PATCH", path(made), {"url": f"{URL}-2"})
    team.admin.call("DELETE", path(made))
    told = [action for action in audited(session) if action.startswith("destination.")]
    assert told == ["destination.made", "destination.changed", "destination.deleted"]


def test_a_key_is_replaced_under_destinations_too(team: Crew, session: Session, database_url: str) -> None:
    make(team)
    new = new_key()
    environment = {"ALERTOPS_DATABASE_URL": database_url, "ALERTOPS_SECRETS_KEYS": f"{new},{SECRETS_KEY}"}
    result = CliRunner(env=environment).invoke(main, ["secrets", "rotate"])
    assert (result.exit_code, result.output.splitlines()[-1][:6]) == (0, "1 of 1")
    session.rollback()
    [row] = session.scalars(select(Destination))
    assert SecretBox([new]).open(row.sealed) == URL


def test_a_flow_that_names_no_destination_of_its_team_is_refused_by_its_place(team: Crew) -> None:
    stranger = uuid4()
    made = make(team)
    group = {"type": "group", "recipients": [to(made["id"]), to(stranger)]}
    refusals = {
        "/nodes/0/recipient/destination_id": a_node("a", recipient=to(stranger)),
        "/nodes/0/recipient/recipients/1/destination_id": a_node("a", recipient=group),
    }
    for pointer, bad in refusals.items():
        refused = assert_problem(team.admin.post(f"{team.path}/flows", a_flow(bad)), 422)
        assert refused["errors"] == [
            {"pointer": pointer, "detail": "There is no such destination in this team."}
        ]
    flow = team.admin.make(f"{team.path}/flows", a_flow(a_node("a", recipient=to(made["id"]))))
    anyway = {"If-Match": "*"}
    bad = {**a_flow(a_node("a", recipient=group)), "repeat": 0}
    answers = {
        "/recipient/destination_id": team.admin.post(
            f"/flows/{flow['id']}/nodes", a_node("b", recipient=to(stranger)), headers=anyway
        ),
        "/nodes/0/recipient/recipients/1/destination_id": team.admin.call(
            "PUT", f"/flows/{flow['id']}", bad, headers=anyway
        ),
    }
    for pointer, refused_answer in answers.items():
        assert [each["pointer"] for each in assert_problem(refused_answer, 422)["errors"]] == [pointer]


def test_warnings_and_previews_know_a_destination_and_that_it_was_deleted(team: Crew) -> None:
    made = make(team)
    flow = team.admin.make(f"{team.path}/flows", a_flow(a_node("a", recipient=to(made["id"]))))
    assert "reaches_nobody" not in {warning["code"] for warning in flow["warnings"]}
    preview = team.viewer.get(f"/flows/{flow['id']}/preview").json or {}
    assert WANTED["name"] in json.dumps(preview["timeline"])
    team.admin.call("DELETE", path(made))
    shown = team.viewer.get(f"/flows/{flow['id']}").json or {}
    [warning] = [each for each in shown["warnings"] if each["code"] == "reaches_nobody"]
    assert warning["detail"] == "It reaches nobody today: the destination has been deleted."
    assert warning["pointer"] == "/nodes/0/recipient"


def test_a_revision_with_a_deleted_destination_is_not_brought_back(team: Crew) -> None:
    made = make(team)
    flow = team.admin.make(f"{team.path}/flows", a_flow(a_node("a", recipient=to(made["id"]))))
    node_id = flow["nodes"][0]["id"]
    anyway = {"If-Match": "*"}
    changed = {"recipient": {"type": "email", "email": "a@example.com"}}
    team.admin.call("PATCH", f"/flows/{flow['id']}/nodes/{node_id}", changed, headers=anyway)
    team.admin.call("DELETE", path(made))
    refused = team.admin.post(f"/flows/{flow['id']}/revisions/1/restore", headers=anyway)
    assert assert_problem(refused, 409)["current"] == {"destination_ids": [made["id"]]}


def kept(world: World, url: str) -> Destination:
    row = Destination(
        team_id=world.team.id, name="Chat", shown="mmost://…", sealed=BOX.seal(url), created_by=world.owner.id
    )
    world.session.add(row)
    world.session.commit()
    return row


def send(world: World, execution_id: UUID, over: Channel, attempt: int = 1) -> Reason:
    key = AttemptKey(execution_id, 1, 1, attempt)
    reason = send_attempt(world.session, world.dispatcher, {over.name: over}, world.timing, key)
    world.session.expire_all()
    return reason


def told(world: World, event: str) -> list[TimelineEntry]:
    return list(world.session.scalars(select(TimelineEntry).where(TimelineEntry.event == event)))


def test_an_alert_goes_the_whole_way_to_a_destination(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        destination = kept(world, mattermost(receiver))
        execution = world.start(world.flow(node("chat", 0, recipient=to(destination.id)), node("b", 600)))
        world.fire(execution, 1)
        [attempt] = world.attempts(execution)
        assert (attempt.channel, attempt.address) == ("apprise", str(destination.id))
        woken = [m.routing_key for m in world.publisher.messages if m.args == (str(execution.id), 1, 1, 1)]
        assert woken == ["send.apprise"]
        assert send(world, execution.id, apprise()) is Reason.REACHED
    [request] = receiver.requests
    assert request.line == f"POST /hooks/{HOOK} HTTP/1.1"
    said = json.loads(request.body)["text"]
    assert said.startswith("[critical] Disk is full")
    assert f"Message: {execution.id}.1.1" in said
    [attempt] = world.attempts(execution)
    assert (attempt.status, attempt.detail) == ("delivered", "200 OK")
    [fired] = told(world, "step_fired")
    [target] = fired.detail["targets"]
    assert (target["name"], target["address"]) == ("Chat", str(destination.id))
    stored = " ".join(world.session.scalars(text("SELECT t::text FROM timeline t")))
    assert HOOK not in stored


def test_a_failure_that_may_pass_is_tried_again_under_the_same_key_and_with_the_url_of_then(
    world: World,
) -> None:
    with raw_receiver(answer("502 Bad Gateway")) as one, raw_receiver(TAKEN) as other:
        destination = kept(world, mattermost(one))
        execution = world.start(world.flow(node("chat", 0, recipient=to(destination.id)), node("b", 600)))
        world.fire(execution, 1)
        send(world, execution.id, apprise())
        destination = world.session.get_one(Destination, destination.id)
        destination.sealed = BOX.seal(mattermost(other))
        world.session.commit()
        world.pass_time(execution, 60)
        assert send(world, execution.id, apprise(), attempt=2) is Reason.REACHED
    first, again = (json.loads(each.requests[0].body)["text"] for each in (one, other))
    key = f"Message: {execution.id}.1.1"
    assert (key in first, key in again) == (True, True)
    assert "This may be a repeat" not in first
    assert "This may be a repeat" in again


def test_a_destination_that_was_deleted_tells_nobody_and_the_escalation_goes_on(world: World) -> None:
    destination = kept(world, "ntfy://127.0.0.1/topic")
    execution = world.start(world.flow(node("chat", 0, recipient=to(destination.id)), node("b", 600)))
    world.session.delete(destination)
    world.session.commit()
    world.fire(execution, 1)
    assert world.attempts(execution) == []
    [nobody] = told(world, "nobody_to_tell")
    assert nobody.detail["reasons"] == ["deleted"]
    world.fire(execution, 2)
    assert [attempt.channel for attempt in world.attempts(execution)] == ["email"]


def test_one_that_is_deleted_before_it_is_told_fails_for_good_and_the_escalation_goes_on(
    world: World,
) -> None:
    destination = kept(world, "ntfy://127.0.0.1/topic")
    execution = world.start(world.flow(node("chat", 0, recipient=to(destination.id)), node("b", 600)))
    world.fire(execution, 1)
    world.session.delete(world.session.get_one(Destination, destination.id))
    world.session.commit()
    send(world, execution.id, apprise())
    [attempt] = world.attempts(execution)
    assert (attempt.status, attempt.detail) == ("failed", "the destination has been deleted")
    world.fire(execution, 2)
    assert [attempt.channel for attempt in world.attempts(execution)] == ["apprise", "email"]
