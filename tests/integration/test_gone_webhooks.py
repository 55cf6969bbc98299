"""A machine that answers 410 is not told any more, until somebody says that it is to be; and that is seen."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from alertops.models import GoneWebhook, Team, TimelineEntry
from alertops.services.gone_webhooks import remember_gone
from tests.integration.api_client import Person, a_flow, a_node, assert_problem, person
from tests.integration.crew import Crew, audited, crew
from tests.integration.hooking import channel
from tests.integration.raw_http import answer, raw_receiver
from tests.integration.test_webhooks import send
from tests.integration.world import World, node

URL = "https://hooks.example.com/secret-path"
HOOK = {"type": "webhook", "url": URL}


@pytest.fixture
def team(app: Flask, session: Session) -> Crew:
    return crew(app, session)


def gone(world: World) -> None:
    """As if the machine at URL had answered 410."""
    remember_gone(world.session, world.team.id, URL, "410 Gone")
    world.session.commit()


def detail_of(world: World, event: str) -> dict[str, Any]:
    query = select(TimelineEntry.detail).where(TimelineEntry.event == event)
    return world.session.scalars(query.order_by(TimelineEntry.id.desc())).first() or {}


def test_a_machine_that_is_gone_is_told_nothing_by_the_next_alert_which_does_not_wait(world: World) -> None:
    with raw_receiver(answer("410 Gone", body=b"moved away")) as receiver:
        recipient = {"type": "webhook", "url": receiver.url("/secret-path")}
        flow = world.flow(node("machine", 0, recipient=recipient), node("b", 600))
        first, second = world.start(flow), world.start(flow)
        world.fire(first, 1)
        send(world, first, channel())
        shown = f"http://127.0.0.1:{receiver.port}/…"
        assert detail_of(world, "webhook_gone") == {"url": shown}
        world.fire(second, 1)
    assert len(receiver.requests) == 1
    assert world.attempts(second) == []
    assert detail_of(world, "nobody_to_tell")["reasons"] == ["gone"]
    assert world.steps(second)[1].due_at <= world.steps(second)[0].fired_at  # type: ignore[operator]
    row = world.session.scalars(select(GoneWebhook)).one()
    assert (row.shown_url, row.said) == (shown, "410 Gone: moved away")


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "503 Busy"])
def test_what_refuses_is_not_gone(world: World, status: str) -> None:
    with raw_receiver(answer(status)) as receiver:
        execution = world.start(
            world.flow(node("machine", 0, recipient={"type": "webhook", "url": receiver.url()}))
        )
        world.fire(execution, 1)
        send(world, execution, channel())
    assert world.session.scalars(select(GoneWebhook)).all() == []


def test_others_of_the_same_node_are_told_and_other_teams_too(world: World) -> None:
    gone(world)
    group = {"type": "group", "recipients": [HOOK, {"type": "email", "email": "a@example.com"}]}
    execution = world.start(world.flow(node("both", 0, recipient=group)))
    world.fire(execution, 1)
    assert [attempt.channel for attempt in world.attempts(execution)] == ["email"]
    world.session.execute(update(GoneWebhook).values(team_id=other_team(world)))
    world.session.commit()
    again = world.start(world.flow(node("hook", 0, recipient=HOOK)))
    world.fire(again, 1)
    assert [attempt.address for attempt in world.attempts(again)] == [URL]


def other_team(world: World) -> UUID:
    team = Team(name="Other")
    world.session.add(team)
    world.session.flush()
    return team.id


def mark(session: Session, team: Crew, url: str = URL) -> str:
    remember_gone(session, team.team, url, "410 Gone")
    session.commit()
    listed = (team.member.get(f"{team.path}/gone-webhooks").json or {})["items"]
    assert [(each["url"], each["said"]) for each in listed] == [("https://hooks.example.com/…", "410 Gone")]
    return str(listed[0]["id"])


def left(session: Session) -> int:
    session.rollback()
    return len(session.scalars(select(GoneWebhook.id)).all())


def test_a_preview_and_a_warning_say_so_and_clearing_it_ends_that(team: Crew, session: Session) -> None:
    flow = team.member.make(f"{team.path}/flows", a_flow(a_node(recipient=HOOK)))["id"]
    gone_id = mark(session, team)
    [warned] = [w for w in warnings(team.member, flow) if w["code"] == "reaches_nobody"]
    assert warned["pointer"] == "/nodes/0/recipient"
    assert warned["detail"] == "It reaches nobody today: has said that it is gone (410)."
    path = f"{team.path}/gone-webhooks/{gone_id}"
    assert team.member.call("DELETE", path).status_code == 204
    assert_problem(team.member.call("DELETE", path), 404)
    assert not [w for w in warnings(team.member, flow) if w["code"] == "reaches_nobody"]
    assert audited(session)[-1] == "gone_webhook.cleared"


def warnings(somebody: Person, flow: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (somebody.get(f"/flows/{flow}/preview").json or {})["warnings"]
    return found


def test_who_saves_a_flow_with_the_url_says_that_it_is_to_be_told_again(team: Crew, session: Session) -> None:
    mark(session, team)
    team.member.make(f"{team.path}/flows", a_flow())
    assert left(session) == 1
    made = team.member.make(f"{team.path}/flows", a_flow(a_node(recipient=HOOK)))
    assert left(session) == 0
    mark(session, team)
    path = f"/flows/{made['id']}/nodes/{made['nodes'][0]['id']}"
    renamed = team.member.call("PATCH", path, {"delay_seconds": 61}, headers={"If-Match": "*"})
    assert (renamed.status_code, left(session)) == (200, 0)


def test_who_saves_contact_methods_with_the_url_does_so_for_their_teams_alone(
    team: Crew, app: Flask, session: Session
) -> None:
    mark(session, team)
    elsewhere = UUID(person(app, "elsewhere").make("/teams", {"name": "Elsewhere"})["id"])
    remember_gone(session, elsewhere, URL, "410 Gone")
    session.commit()
    body = {"methods": [{"channel": "webhook", "url": URL}]}
    assert team.member.call("PUT", "/me/contact-methods", body).status_code == 200
    session.rollback()
    assert session.scalars(select(GoneWebhook.team_id)).all() == [elsewhere]
