"""Flower: closed to whoever has no password; who has it sees the workers, and each task by its key in words.

The last test leaves its picture in `.local/flower-tasks.png`; docs/operating.md says how it gets there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from alertops.services.dispatch import FIRE_STEP, SEND_ATTEMPT
from deploy.local import binaries
from deploy.local.fleet import Fleet
from tests.acceptance.alerts import Alerts, node, until
from tests.acceptance.nodes import FleetSetup
from tests.browser.chromium import Chromium, Page

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("whole_fleet")]

PICTURE = Path(__file__).parents[2] / ".local" / "flower-tasks.png"
PAGES = ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", "/api/task/types")
# Flower leaves these open, for probes and for Prometheus.
OPEN = {"/healthcheck", "/metrics"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    binaries.ensure_installed([binaries.BROWSER], report=print)
    with Chromium(binaries.program(binaries.BROWSER), tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


def ask(fleet: Fleet, path: str, credentials: tuple[str, str] | None) -> requests.Response:
    return requests.get(f"{fleet.flower_url}{path}", auth=credentials, timeout=10)


def tasks(fleet: Fleet) -> list[dict[str, Any]]:
    return list(ask(fleet, "/api/tasks", fleet.flower_credentials).json().values())


@pytest.mark.parametrize("path", PAGES)
def test_who_has_no_password_sees_nothing(fleet: Fleet, path: str) -> None:
    name, password = fleet.flower_credentials
    for credentials in (None, (name, ""), (name, password + "x"), ("admin", password)):
        answer = ask(fleet, path, credentials)
        assert (answer.status_code, answer.text) in {(401, "Access denied"), (401, "")}


def test_what_is_open_tells_of_no_alert(fleet: Fleet, alerts: Alerts) -> None:
    alert = alerts.raise_with(node("private@example.org", 0))
    alert.await_status("exhausted", within=5)
    until(lambda: str(alert.id) in str(tasks(fleet)), within=5, what="the task in Flower")
    for path in OPEN:
        answer = ask(fleet, path, None)
        assert answer.status_code == 200
        assert str(alert.id) not in answer.text


def test_the_password_is_in_no_argument_of_a_process(fleet: Fleet) -> None:
    _, password = fleet.flower_credentials
    arguments = Path(f"/proc/{fleet.flower.pid}/cmdline")
    if not arguments.exists():
        pytest.skip("needs /proc, which tells the arguments of a process")
    assert password not in arguments.read_text()


def test_who_watches_can_end_nothing(fleet: Fleet) -> None:
    answer = requests.post(
        f"{fleet.flower_url}/api/worker/shutdown/{fleet.workers[0].name}",
        auth=fleet.flower_credentials,
        timeout=10,
    )
    assert answer.status_code == 403
    assert fleet.workers[0].running


def test_who_has_it_sees_every_worker_and_each_task_by_its_key(
    fleet: Fleet, celery_setup: FleetSetup, alerts: Alerts
) -> None:
    alert = alerts.raise_with(node("seen@example.org", 0))
    alert.await_status("exhausted", within=5)
    names = {worker.hostname() for worker in celery_setup.workers}
    credentials = fleet.flower_credentials
    assert ask(fleet, "/", credentials).status_code == 200
    assert set(ask(fleet, "/api/workers?refresh=1", credentials).json()) == names
    assert ask(fleet, "/api/workers?status=1", credentials).json() == dict.fromkeys(names, True)
    shown = {
        (FIRE_STEP, f"(step=1, execution={alert.id})"),
        (SEND_ATTEMPT, f"(step=1, target=1, attempt=1, execution={alert.id})"),
    }
    until(
        lambda: shown <= {(task["name"], task["args"]) for task in tasks(fleet)}, within=5, what="the tasks"
    )


def test_the_picture_for_the_docs(fleet: Fleet, alerts: Alerts, browser: Chromium) -> None:
    alert = alerts.raise_with(node("primary@example.org", 0), node("secondary@example.org", 1))
    alert.await_status("exhausted", within=8)
    keys = ["(step=1, ", "(step=2, "]
    page = Page(browser, scripts=True)
    page.resize(1300, 520)
    name, password = fleet.flower_credentials
    page.open(fleet.flower_url.replace("://", f"://{name}:{password}@") + "/tasks")
    # What is searched for is in the address: this alert's tasks alone, without canaries.
    page.evaluate(f"$('#tasks-table').DataTable().search('{alert.id}').draw()")
    until(lambda: all(page.words().count(key) == 2 for key in keys), within=10, what="the tasks on the page")
    assert page.words().count(FIRE_STEP) == page.words().count(SEND_ATTEMPT) == 2
    page.picture(PICTURE)
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
