"""People outside a team: they can have its alerts stopped, and may have to agree to them first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from alertops.escalation.decision import Reason
from alertops.models import Execution, Outsider, Team, TimelineEntry, User
from alertops.services.fire_step import fire_step
from alertops.services.keys import StepKey
from tests.integration.api_client import API, Person, a_flow, a_node, assert_problem, person
from tests.integration.conftest import application
from tests.integration.posting import PostOffice, token_in
from tests.integration.world import World, node


@pytest.fixture
def office(session: Session) -> PostOffice:
    return PostOffice(session)


def stop(app: Flask, token: str, **more: Any) -> TestResponse:
    return app.test_client().post(f"{API}/stop/{token}", **more)


def told(world: World, execution: Execution) -> list[str]:
    """What the execution's mails brought, in order: their tokens."""
    return [str(sent.stop_token) for sent in world.channel.accepted if sent.execution_id == str(execution.id)]


def fired_and_sent(world: World, execution: Execution, step: int) -> None:
    world.fire(execution, step)
    world.send(execution, step)


def test_an_alert_to_an_address_that_is_no_members_says_how_to_stop_them(
    app: Flask, world: World, session: Session
) -> None:
    execution = world.start(world.flow(node("else", 0), node("b", 600)))
    fired_and_sent(world, execution, 1)
    (token,) = told(world, execution)
    shown = app.test_client().get(f"{API}/stop/{token}")
    assert (shown.json or {})["stopped_at"] is None
    assert (shown.json or {})["address"] == world.attempts(execution)[0].address


def test_a_members_own_proved_address_cannot_be_stopped_this_way(world: World, session: Session) -> None:
    session.execute(
        update(User)
        .where(User.id == world.owner.id)
        .values(email="ELSE@example.com", email_verified_at=func.clock_timestamp())
    )
    session.commit()
    execution = world.start(world.flow(node("else", 0), node("b", 600)))
    fired_and_sent(world, execution, 1)
    assert told(world, execution) == ["None"]
    assert session.scalar(select(func.count()).select_from(Outsider)) == 0


def test_after_a_stop_the_step_resolves_to_nobody_and_says_so(
    app: Flask, world: World, session: Session
) -> None:
    flow = world.flow(node("else", 0), node("else", 60), node("b", 60))
    execution = world.start(flow)
    fired_and_sent(world, execution, 1)
    (token,) = told(world, execution)
    # As a mail program does it (RFC 8058): a form, and nobody logged in.
    for _ in range(2):
        assert stop(app, token, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert world.events(execution).count("address_stopped") == 1
    world.pass_time(execution, 60)
    world.fire(execution, 2)
    refused = session.scalars(
        select(TimelineEntry.detail).where(
            TimelineEntry.execution_id == execution.id, TimelineEntry.event == "address_refused"
        )
    ).one()
    assert refused["reason"] == "stopped"
    assert world.events(execution)[-3:] == ["address_refused", "nobody_to_tell", "step_brought_forward"]
    assert len(world.channel.accepted) == 1


def test_what_was_scheduled_before_the_stop_is_not_sent(app: Flask, world: World, session: Session) -> None:
    execution = world.start(world.flow(node("else", 0), node("b", 600)))
    fired_and_sent(world, execution, 1)
    (token,) = told(world, execution)
    again = world.start(world.flow(node("else", 0), node("b", 600)))
    world.fire(again, 1)
    stop(app, token)
    assert world.send(again, 1) is not Reason.STALE
    (attempt,) = world.attempts(again)
    assert (attempt.status, attempt.detail) == ("failed", "the address has asked not to be alerted any more")
    assert told(world, again) == []
    # Nobody was told, so the next one is, at once.
    assert "step_brought_forward" in world.events(again)


def test_a_stop_is_for_one_team_alone(app: Flask, world: World, session: Session) -> None:
    execution = world.start(world.flow(node("else", 0), node("b", 600)))
    fired_and_sent(world, execution, 1)
    stop(app, told(world, execution)[0])
    other = Team(name="Other")
    session.add(other)
    session.flush()
    world.team = other
    theirs = world.start(world.flow(node("else", 0), node("b", 600)))
    fired_and_sent(world, theirs, 1)
    assert len(told(world, theirs)) == 1


def test_an_operator_can_have_outsiders_agree_first(
    app: Flask, world: World, session: Session, office: PostOffice
) -> None:
    execution = world.start(world.flow(node("else", 0), node("b", 600)))
    key = StepKey(execution.id, 1)
    assert fire_step(session, world.dispatcher, key, confirmed_only=True) is Reason.DUE
    assert world.attempts(execution) == []
    assert "address_refused" in world.events(execution)
    outsider = session.scalars(select(Outsider)).one()
    assert office.deliver() == []
    session.execute(update(Outsider).values(confirmed_at=func.clock_timestamp()))
    session.commit()
    again = world.start(world.flow(node("else", 0), node("b", 600)))
    fire_step(session, world.dispatcher, StepKey(again.id, 1), confirmed_only=True)
    assert [attempt.outsider_id for attempt in world.attempts(again)] == [outsider.id]


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def outsider(ann: Person, session: Session) -> Outsider:
    team = ann.make("/teams", {"name": "Operations"})["id"]
    row = Outsider(team_id=UUID(team), address="else@example.org", stopped_at=func.clock_timestamp())
    session.add(row)
    session.commit()
    return row


def test_the_team_asks_and_the_address_agrees_once(
    app: Flask, ann: Person, outsider: Outsider, office: PostOffice, session: Session
) -> None:
    path = f"/teams/{outsider.team_id}/outsiders"
    assert ann.post(f"{path}/{outsider.id}/ask").status_code == 202
    (mail,) = office.deliver()
    assert mail["To"] == "else@example.org"
    url = f"{API}/confirm/{token_in(mail)}"
    assert (app.test_client().get(url).json or {})["stopped_at"] is not None
    assert (app.test_client().post(url).json or {})["stopped_at"] is None
    assert_problem(app.test_client().post(url), 404)
    (listed,) = (ann.get(path).json or {})["items"]
    assert listed["confirmed_at"] is not None
    assert listed["stopped_at"] is None


def test_an_address_that_is_asked_too_often_is_left_in_peace(ann: Person, outsider: Outsider) -> None:
    path = f"/teams/{outsider.team_id}/outsiders/{outsider.id}/ask"
    assert [ann.post(path).status_code for _ in range(7)][-1] == 429


@pytest.mark.parametrize("token", ["x", "mlt_" + "A" * 43])
def test_what_is_no_token_stops_and_confirms_nothing(app: Flask, outsider: Outsider, token: str) -> None:
    for kind in ("stop", "confirm"):
        for method in ("GET", "POST"):
            assert_problem(app.test_client().open(f"{API}/{kind}/{token}", method=method), 404)


def test_new_addresses_of_a_flow_are_asked_when_the_operator_wants_that(
    database_url: str, publisher: Any, office: PostOffice, session: Session
) -> None:
    app = application(database_url, publisher, ALERTOPS_CONFIRM_OUTSIDERS="yes")
    ann = person(app, "ann")
    team = ann.make("/teams", {"name": "Operations"})["id"]
    one, two = a_node("one"), a_node("two")
    both = {"type": "group", "recipients": [one["recipient"], two["recipient"]]}
    nodes = [one, a_node("group", recipient=both), a_node("three", recipient=one["recipient"])]
    flow = ann.make(f"/teams/{team}/flows", a_flow(*nodes))
    asked = sorted(str(mail["To"]) for mail in office.deliver())
    assert asked == ["one@example.org", "two@example.org"]
    ann.call("PATCH", f"/flows/{flow['id']}", {"name": "Renamed"}, headers={"If-Match": "*"})
    assert office.deliver() == []
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
