"""Acknowledge and resolve with the link that an alert brought."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from alertops.models import Execution, Membership, Outsider, TimelineEntry, User
from alertops.services.acknowledge import acknowledge
from alertops.services.dispatch import Dispatcher
from alertops.services.operate import By
from alertops.services.resolve import resolve
from tests.integration.answering import buttons_of, member, reader, told, words_of
from tests.integration.api_client import row_counts
from tests.integration.world import Broker, World, node


@pytest.fixture
def ann(world: World) -> User:
    return member(world, "Ann")


@pytest.fixture
def ben(world: World) -> User:
    return member(world, "Ben")


@pytest.fixture
def execution(world: World, ann: User, ben: User) -> Execution:
    """Ann was told; Ben is next."""
    return told(world, ann, ben)


def entry(session: Session, execution: Execution, event: str) -> TimelineEntry:
    session.rollback()
    query = select(TimelineEntry).where(
        TimelineEntry.execution_id == execution.id, TimelineEntry.event == event
    )
    return session.scalars(query).one()


def test_the_page_shows_the_alert_and_who_is_told_next(app: Flask, execution: Execution) -> None:
    page = reader(app, execution).look()
    words = words_of(page)
    assert page.status_code == 200
    assert "critical running Disk is full Team Team, flow Flow" in words
    assert "Nobody has answered yet. Next to be told: ben (Ben), at" in words
    assert "in 9 min" in words or "in 10 min" in words
    assert "The message to “ann” was delivered" in words
    assert "host db1" in words
    assert "sent to ann@example.com" in words
    assert buttons_of(page) == ["acknowledge", "resolve"]


def test_looking_changes_nothing_however_often_and_by_whatever_method(
    app: Flask, world: World, execution: Execution, session: Session
) -> None:
    before, events = row_counts(session), world.events(execution)
    ann = reader(app, execution)
    # On a busy machine, the looks take longer than a transaction may be left open.
    session.rollback()
    assert {ann.look().status_code for _ in range(100)} == {200}
    for method in ("HEAD", "OPTIONS"):
        assert ann.look(method).status_code == 200
    for query in ("?answer=acknowledge", "?answered", "?answer=resolve&note=x"):
        assert app.test_client().get(ann.path + query).status_code == 200
    assert (row_counts(session), world.events(execution)) == (before, events)
    assert world.status(execution) == "running"


def test_pressing_acknowledge_stops_the_escalation_and_says_who_did(
    app: Flask, world: World, execution: Execution, session: Session, ann: User
) -> None:
    page = reader(app, execution)
    pressed = page.press("acknowledge", note="  On it.\r\nGive me 5 min ")
    assert (pressed.status_code, pressed.headers["Location"]) == (303, "?answered")
    words = page.words()
    assert "You acknowledged it at" in words
    assert "Nobody else is told for now." in words
    assert "Acknowledged by Ann (you) from the mail. On it. Give me 5 min" in words
    assert buttons_of(page.look()) == ["resolve"]
    told_of = entry(session, execution, "acknowledged")
    assert told_of.actor_id == ann.id
    assert told_of.detail == {
        "came_from": "running",
        "by_mail": "ann@example.com",
        "note": "On it. Give me 5 min",
    }
    assert [step.status for step in world.steps(execution)] == ["fired", "cancelled"]


def test_pressing_twice_is_safe(app: Flask, world: World, execution: Execution) -> None:
    for answer in ("acknowledge", "acknowledge", "resolve", "resolve"):
        assert reader(app, execution).press(answer).status_code == 303
    events = world.events(execution)
    assert (events.count("acknowledged"), events.count("resolved")) == (1, 1)


def test_two_who_press_at_the_same_moment_make_one_answer(
    app: Flask, world: World, execution: Execution
) -> None:
    world.pass_time(execution, 600)
    world.fire(execution, 2)
    readers = [reader(app, execution, step) for step in (1, 2)] * 4
    with ThreadPoolExecutor(8) as pool:
        pressed = list(pool.map(lambda one: one.press("acknowledge").status_code, readers))
    assert set(pressed) == {303}
    assert world.events(execution).count("acknowledged") == 1
    pages = [reader(app, execution, step).words() for step in (1, 2)]
    assert sorted("You acknowledged it" in page for page in pages) == [False, True]


def test_whoever_was_slower_reads_who_was_faster_and_can_resolve(
    app: Flask, world: World, execution: Execution, session: Session, ben: User
) -> None:
    acknowledge(session, Dispatcher(Broker()), execution.id, By(ben.id))
    session.execute(
        update(TimelineEntry).values(at=TimelineEntry.at - func.make_interval(0, 0, 0, 0, 0, 0, 40))
    )
    session.commit()
    ann = reader(app, execution)
    assert "Ben acknowledged it at" in ann.words()
    assert "40 s ago" in ann.words() or "41 s ago" in ann.words()
    assert ann.press("acknowledge", note="me too").status_code == 303
    assert "Ben acknowledged it at" in ann.words()
    assert "me too" not in ann.words()
    assert buttons_of(ann.look()) == ["resolve"]
    assert ann.press("resolve").status_code == 303
    assert "You resolved it at" in ann.words()


def test_what_is_over_says_how_it_ended_and_cannot_be_answered(
    app: Flask, execution: Execution, session: Session, ben: User
) -> None:
    resolve(session, Dispatcher(Broker()), execution.id, By(ben.id))
    ann = reader(app, execution)
    assert "Ben resolved it at" in ann.words()
    assert buttons_of(ann.look()) == []
    late = ann.press("acknowledge")
    assert late.status_code == 409
    assert "That came too late" in words_of(late)
    assert "Ben resolved it at" in words_of(late)


def test_what_nobody_answered_can_still_be_taken_up(app: Flask, world: World, session: Session) -> None:
    execution = world.start(world.flow(node("else", 0)))
    world.fire(execution, 1)
    world.send(execution, 1)
    page = reader(app, execution)
    assert "Everybody was told, and nobody answered." in page.words()
    assert page.press("acknowledge").status_code == 303
    assert world.status(execution) == "acknowledged"


def test_an_exhausted_one_with_a_newer_one_of_the_same_key_says_so(app: Flask, world: World) -> None:
    flow = world.flow(node("else", 0))
    execution = world.start(flow, "disk")
    world.fire(execution, 1)
    world.send(execution, 1)
    world.start(flow, "disk")
    late = reader(app, execution).press("acknowledge")
    assert late.status_code == 409
    assert "another execution with the same dedup_key is open" in words_of(late)


def test_whoever_is_outside_the_team_answers_by_their_address(
    app: Flask, world: World, session: Session, ann: User
) -> None:
    execution = told(world)
    ann_is_next = world.start(world.flow(node("outside", 0), node("ann", 60)))
    world.fire(ann_is_next, 1)
    # People outside are told the names of nodes, and no addresses.
    assert "Next to be told: ann, at" in reader(app, ann_is_next).words()
    page = reader(app, execution)
    assert page.press("acknowledge").status_code == 303
    assert "Acknowledged by outside@example.com (you) from the mail." in page.words()
    outsider = session.scalars(select(Outsider)).one()
    told_of = entry(session, execution, "acknowledged")
    assert (told_of.actor_id, told_of.detail["by_mail"]) == (outsider.id, "outside@example.com")


def test_an_outsider_who_has_become_a_member_answers_as_that(
    app: Flask, world: World, session: Session
) -> None:
    execution = told(world)
    user = member(world, "Outside")
    reader(app, execution).press("acknowledge")
    # Anybody can open an account with that address: not theirs before it is proved.
    assert entry(session, execution, "acknowledged").actor_id != user.id
    session.execute(update(User).where(User.id == user.id).values(email_verified_at=func.now()))
    session.commit()
    reader(app, execution).press("resolve")
    assert entry(session, execution, "resolved").actor_id == user.id


def test_an_outsider_who_stopped_the_alerts_may_still_answer_this_one(
    app: Flask, world: World, session: Session
) -> None:
    execution = told(world)
    session.execute(update(Outsider).values(stopped_at=func.now()))
    session.commit()
    assert reader(app, execution).press("acknowledge").status_code == 303


def test_a_viewer_who_was_told_may_answer(app: Flask, world: World) -> None:
    execution = told(world, member(world, "Vera", "viewer"))
    assert reader(app, execution).press("acknowledge").status_code == 303


@pytest.mark.parametrize("departure", ["left", "deleted their account", "changed their address"])
def test_who_is_not_in_the_team_any_more_finds_nothing(
    app: Flask, world: World, execution: Execution, session: Session, departure: str
) -> None:
    page = reader(app, execution)
    assert page.look().status_code == 200
    ann = session.scalars(select(User).where(User.name == "Ann")).one()
    session.execute(
        {
            "left": delete(Membership).where(Membership.user_id == ann.id),
            "deleted their account": delete(User).where(User.id == ann.id),
            "changed their address": update(User).where(User.id == ann.id).values(email="new@example.com"),
        }[departure]
    )
    session.commit()
    for answer in (page.look(), page.press("acknowledge")):
        assert answer.status_code == 410
        assert "does not belong to the team any more" in words_of(answer)
        assert "Disk is full" not in answer.text
    assert world.status(execution) == "running"


def test_a_link_expires_a_week_after_its_step_fired(app: Flask, world: World, execution: Execution) -> None:
    page = reader(app, execution)
    world.pass_time(execution, 7 * 86400 - 60)
    assert page.look().status_code == 200
    world.pass_time(execution, 60)
    for answer in (page.look(), page.press("acknowledge")):
        assert answer.status_code == 410
        assert "This link has expired" in words_of(answer)
        assert "Disk is full" not in answer.text
    assert world.status(execution) == "running"


def test_a_link_of_what_was_deleted_is_gone(app: Flask, execution: Execution, session: Session) -> None:
    page = reader(app, execution)
    session.execute(delete(Execution))
    session.commit()
    assert page.look().status_code == 410


def test_a_long_story_is_shortened(app: Flask, world: World, execution: Execution, session: Session) -> None:
    session.add_all(
        TimelineEntry(execution_id=execution.id, event="alert_repeated", detail={}) for _ in range(200)
    )
    session.commit()
    page = reader(app, execution).look()
    assert "Only the last 50 entries are shown." in words_of(page)
    assert page.text.count("<li><time") == 50
