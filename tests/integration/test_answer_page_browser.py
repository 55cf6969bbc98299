"""The page of a link in a real browser, without scripts: read, pressed, and looked at.

The last test leaves its picture in `.local/answer-page.png`; docs/answering.md says how it gets there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_core_python.base import AXE_SCRIPT
from flask import Flask
from sqlalchemy import update
from werkzeug.serving import make_server

from alertops.models import Execution, Flow, Team, TimelineEntry, User
from alertops.services.keys import AttemptKey
from alertops.services.send_attempt import send_attempt
from deploy.local import binaries
from deploy.local.smtp_sink import SmtpSink
from tests.browser.chromium import Chromium, Page
from tests.integration.answering import member, reader, telling, told
from tests.integration.mailing import PLENTY, channel
from tests.integration.world import World, node

PICTURE = Path(__file__).parents[2] / ".local" / "answer-page.png"
AXE = f"{AXE_SCRIPT}; axe.run({{resultTypes: ['violations']}}).then(found => found.violations)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    binaries.ensure_installed([binaries.BROWSER], report=print)
    with Chromium(binaries.program(binaries.BROWSER), tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the application is served."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ann(world: World) -> User:
    return member(world, "Ann")


def test_from_the_mail_to_the_acknowledge_without_scripts(
    world: World, browser: Chromium, address: str, ann: User
) -> None:
    execution = world.start(world.flow(node("ann", 0, recipient=telling(ann)), node("outside", 600)))
    world.fire(execution, 1)
    with SmtpSink() as sink:
        key = AttemptKey(execution.id, 1, 1, 1)
        send_attempt(world.session, world.dispatcher, {"email": channel(sink.port)}, world.timing, key)
        (mail,) = sink.wait_for_messages(1, timeout=PLENTY)
    (path,) = re.findall(r"^https://alertops\.test(/a/\S+)\r?$", mail.message.get_content(), re.MULTILINE)
    page = Page(browser)
    page.open("data:text/html,<title>off</title><script>document.title = 'on'</script>")
    assert page.evaluate("document.title") == "off"
    page.open(address + path)
    assert world.status(execution) == "running"
    assert "Nobody has answered yet." in page.words()
    page.write("#note", "I am on it")
    page.click("button[value=acknowledge]")
    assert world.status(execution) == "acknowledged"
    assert "You acknowledged it at" in page.words()
    assert "Note: I am on it" in page.words()
    assert page.evaluate("location.search") == "?answered"
    page.open(address + path)
    page.click("button[value=resolve]")
    assert "You resolved it at" in page.words()
    assert page.evaluate("document.querySelectorAll('button').length") == 0


def test_the_keyboard_alone_is_enough(
    app: Flask, world: World, browser: Chromium, address: str, ann: User
) -> None:
    execution = told(world, ann)
    page = Page(browser)
    page.open(address + reader(app, execution).path)
    focused = []
    for _ in range(3):
        page.press("Tab")
        focused.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", f"nobody sees that {focused[-1]} has the focus"
    assert focused == ["note", "acknowledge", "resolve"]
    page.press("Enter", loads=True)
    assert world.status(execution) == "resolved"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(
    app: Flask, world: World, browser: Chromium, address: str, scheme: str
) -> None:
    execution = told(world, member(world, "Ann"))
    world.session.execute(update(Execution).values(summary="W" * 300, details={"path": "/" + "x" * 300}))
    world.session.commit()
    page = Page(browser, scripts=True)
    page.prefer(scheme)
    for path in (reader(app, execution).path, "/a/nothing"):
        page.open(address + path)
        assert faults_of(page.evaluate(AXE)) == []
        # A phone, and a desktop's window at 400 % (WCAG 1.4.10): nothing has to be scrolled to the side.
        for width in (390, 320):
            page.resize(width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert reader(app, execution).press("acknowledge").status_code == 303
    page.open(address + reader(app, execution).path)
    assert faults_of(page.evaluate(AXE)) == []


def faults_of(violations: list[dict[str, Any]]) -> list[str]:
    return [f"{found['id']}: {[one['html'] for one in found['nodes']]}" for found in violations]


def test_the_picture_for_the_docs(app: Flask, world: World, browser: Chromium, address: str) -> None:
    execution = an_escalation(world)
    page = Page(browser)
    page.open(address + reader(app, execution, step=2).path)
    assert "Next to be told: head of operations (outside@example.com)" in page.words()
    page.picture(PICTURE)
    assert PICTURE.read_bytes().startswith(b"\x89PNG")


def an_escalation(world: World) -> Execution:
    """Ben was told five minutes ago, and Ann has just been."""
    world.session.execute(update(Team).values(name="Storage"))
    nodes = [
        node("primary", 0, recipient=telling(member(world, "Ben"))),
        node("secondary", 300, recipient=telling(member(world, "Ann"))),
        node("head of operations", 600, recipient={"type": "email", "email": "outside@example.com"}),
    ]
    execution = world.start(world.flow(*nodes))
    world.session.execute(update(Flow).values(name="Nights"))
    details = {"host": "db1", "path": "/var/lib/postgresql", "free": "0 %"}
    world.session.execute(update(Execution).values(summary="db1: disk is full", details=details))
    world.session.commit()
    for step, seconds in ((1, 300), (2, 42)):
        world.fire(execution, step)
        world.send(execution, step)
        world.pass_time(execution, seconds)
        world.session.execute(update(TimelineEntry).values(at=TimelineEntry.at - timedelta(seconds=seconds)))
        world.session.commit()
    return execution
