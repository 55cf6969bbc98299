"""What the page of a link does with links, forms and texts that mean no good."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from alertops.answer_links import AnswerLinks
from alertops.models import Execution, Flow, Team, TimelineEntry, User
from alertops.services.access.wall import WALLED_ROLE
from alertops.services.accounts.limits import LINK_ADDRESS, LINK_ANSWER
from alertops.services.accounts.open_session import Client
from alertops.services.answer_by_mail import MAX_NOTE
from alertops.services.find_linked import find_linked
from tests.integration.answering import Reader, member, reader, told, words_of
from tests.integration.furnishing import furnish
from tests.integration.world import World, node

HOSTILE = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{ 7 * 7 }}&lt;\u202e"""


@pytest.fixture
def execution(world: World) -> Execution:
    return told(world, member(world, "Ann"))


def note_of(session: Session) -> str:
    session.rollback()
    detail = session.scalars(select(TimelineEntry.detail).where(TimelineEntry.event == "acknowledged")).one()
    return str(detail["note"])


def test_every_answer_forbids_scripts_frames_caches_and_referrers(app: Flask, execution: Execution) -> None:
    ann = reader(app, execution)
    answers = {
        200: ann.look(),
        400: ann.press("dance"),
        404: Reader(app, "/a/nothing").look(),
        303: ann.press("resolve"),
        409: ann.press("acknowledge"),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.mimetype == "text/html"
        policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert "Set-Cookie" not in answer.headers
        if status == 303:
            continue
        (style,) = re.findall(r"(?s)<style>(.*)</style>", answer.text)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy["style-src"] == f"'sha256-{digest}'"
        # All that the page needs is in it, and nothing in it needs more than the policy gives.
        assert not re.search(r"<script|<img|<link|<iframe| style=| on\w+=|https?://", answer.text)


def test_texts_of_others_stay_texts(app: Flask, world: World, session: Session) -> None:
    user = member(world, "Ann")
    execution = world.start(world.flow(node(HOSTILE, 0, recipient={"type": "user", "user_id": str(user.id)})))
    session.execute(update(Execution).values(summary=HOSTILE, details={HOSTILE: HOSTILE, "n": [HOSTILE]}))
    session.execute(update(Team).values(name=HOSTILE))
    session.execute(update(Flow).values(name=HOSTILE))
    session.execute(update(User).where(User.id == user.id).values(name=HOSTILE))
    session.commit()
    world.fire(execution, 1)
    ann = reader(app, execution)
    assert ann.press("acknowledge", note=HOSTILE).status_code == 303
    page = ann.look().text
    assert "<script" not in page
    assert "<img" not in page
    # Summary twice, team, flow, a detail's name and value, who answered, the note twice, the node.
    assert page.count(str(escape(HOSTILE)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")) >= 9


def test_a_huge_alert_makes_no_huge_page(app: Flask, world: World, session: Session) -> None:
    execution = told(world, member(world, "Ann"))
    huge = {f"name {number}": ["x" * 5000] * 20 for number in range(100)}
    session.execute(update(Execution).values(summary="s" * 1024, details=huge))
    session.commit()
    page = reader(app, execution).look()
    assert len(page.data) < 32_000
    assert "And 80 more, which are not shown here." in words_of(page)


BROKEN_LINKS: dict[str, Any] = {
    "made up": lambda token: "x" * len(token),
    "truncated": lambda token: token[:-10],
    "of another target": lambda token: token[:-1] + "2",
    "of another execution": lambda token: re.sub(r"\.[0-9a-f]{8}-", ".00000000-", token),
    "of another server's key": lambda token: AnswerLinks("", ["k" * 40]).token_of(token.partition(".")[2]),
    "with a line end": lambda token: token + "%0a",
    "endless": lambda token: token * 50,
    "of no text": lambda _: "%ff%00",
}


@pytest.mark.parametrize("kind", BROKEN_LINKS)
def test_a_link_that_is_none_of_ours_is_said_kindly_and_does_nothing(
    app: Flask, world: World, execution: Execution, kind: str
) -> None:
    token = reader(app, execution).path.removeprefix("/a/")
    broken = Reader(app, f"/a/{BROKEN_LINKS[kind](token)}")
    for answer in (broken.look(), broken.press("acknowledge")):
        assert answer.status_code == 404
        assert "This link is not complete" in words_of(answer)
        assert "copy all of it" in words_of(answer)
    assert world.status(execution) == "running"


BAD_FORMS: dict[str, tuple[int, dict[str, Any]]] = {
    "nothing": (400, {}),
    "one click, as mail programs unsubscribe": (400, {"data": {"List-Unsubscribe": "One-Click"}}),
    "no such answer": (400, {"data": {"answer": "cancel"}}),
    "the answer in the address": (400, {"query_string": {"answer": "acknowledge"}}),
    "JSON": (400, {"json": {"answer": "acknowledge"}}),
    "too much": (413, {"data": {"answer": "acknowledge", "note": "x" * 20_000}}),
    "too much, in a file": (413, {"data": {"answer": "acknowledge", "f": (BytesIO(b"x" * 20_000), "f")}}),
}


@pytest.mark.parametrize("kind", BAD_FORMS)
def test_a_form_that_no_button_sent_changes_nothing(
    app: Flask, world: World, execution: Execution, kind: str
) -> None:
    status, form = BAD_FORMS[kind]
    answer = app.test_client().post(reader(app, execution).path, **form)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert world.status(execution) == "running"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_do_nothing(app: Flask, world: World, execution: Execution, method: str) -> None:
    assert reader(app, execution).look(method).status_code == 405
    assert world.status(execution) == "running"


@pytest.mark.parametrize(
    ("given", "kept"), [("a\x00b\x1b[31m\r\nc", "a b [31m c"), ("n" * 5000, "n" * (MAX_NOTE - 1) + "…")]
)
def test_a_note_is_one_line_of_bounded_length(
    app: Flask, execution: Execution, session: Session, given: str, kept: str
) -> None:
    assert reader(app, execution).press("acknowledge", note=given).status_code == 303
    assert note_of(session) == kept


def test_whoever_tries_links_is_held_up_and_whoever_has_one_is_not(app: Flask, execution: Execution) -> None:
    tried = [Reader(app, f"/a/{number}").look() for number in range(LINK_ADDRESS.burst + 1)]
    assert [answer.status_code for answer in tried] == [404] * LINK_ADDRESS.burst + [429]
    assert int(tried[-1].headers["Retry-After"]) >= 1
    assert "Too many tries" in words_of(tried[-1])
    assert reader(app, execution).look().status_code == 200
    assert reader(app, execution).press("acknowledge").status_code == 303


def test_the_presses_of_one_link_are_limited(app: Flask, execution: Execution) -> None:
    pressed = [reader(app, execution).press("acknowledge").status_code for _ in range(LINK_ANSWER.burst + 1)]
    assert pressed == [303] * LINK_ANSWER.burst + [429]


def test_behind_a_link_there_is_one_team_alone(app: Flask, execution: Execution, session: Session) -> None:
    furnish(session, "ben")
    token = reader(app, execution).path.removeprefix("/a/")
    target = app.extensions["alertops.answer_links"].read(token)
    find_linked(session, target, Client())
    for _ in range(2):
        assert session.scalar(text("SELECT current_user")) == WALLED_ROLE
        assert session.scalars(select(Execution.id)).all() == [execution.id]
        session.commit()
