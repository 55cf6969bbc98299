"""Logging in: secrets stay secret, tokens are renewed, and two commands at once do not end the session."""

from __future__ import annotations

import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from alertops.cli.people import credentials
from alertops.cli.people.api import checked_url
from alertops.cli.people.credentials import FromLogin
from alertops.cli.people.shell import refresh
from alertops.cli.people.store import Store
from tests.cli.terminal import Terminal
from tests.integration.api_client import Person
from tests.security.conftest import PASSWORD, somebody


@pytest.fixture
def account(app: Flask) -> Person:
    """An account with a password, logged in nowhere on this machine."""
    return somebody(app, "ann")


def end(terminal: Terminal, **changes: Any) -> None:
    """Make the access token one that has ended."""
    store = Store(terminal.folder)
    login = store.read()
    assert login is not None
    store.write(replace(login, expires_at=time.time() - 1, **changes))


@pytest.mark.usefixtures("account")
def test_a_person_logs_in_and_out(api: str, terminal: Terminal) -> None:
    login = terminal.run("login", "--api-url", api, says=f"ann@example.org\n{PASSWORD}\n")
    assert login.exit_code == 0, login.output
    assert PASSWORD not in login.output
    file = terminal.folder / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.folder.stat().st_mode) == 0o700
    assert PASSWORD not in file.read_text()
    assert terminal.json("team", "list") == []
    kept = file.read_text()
    assert terminal.json("logout") == {"logged_out": True}
    assert not file.exists()
    file.write_text(kept)
    assert "The login has ended" in terminal.text("team", "list", exit_code=4), "the session goes on"
    assert terminal.json("logout") == {"logged_out": False}


@pytest.mark.usefixtures("account")
def test_a_script_gives_the_password_on_standard_input(api: str, terminal: Terminal) -> None:
    words = ("login", "--api-url", f"{api}/api/v1/", "--email", "ann@example.org", "--password-stdin")
    assert terminal.run(*words, says=f"{PASSWORD}\n").exit_code == 0
    wrong = terminal.run(*words, says="not it\n")
    assert wrong.exit_code == 4
    assert "not it" not in wrong.output
    assert terminal.json("team", "list") == [], "the login from before was lost"


def test_nobody_is_told_to_log_in(api: str, terminal: Terminal) -> None:
    assert "run `alertops login`" in terminal.text("team", "list", exit_code=4)
    assert "--api-url" in terminal.text("login", "--email", "a@example.org", exit_code=2)
    assert "Not logged in" in terminal.text("team", "list", "--api-url", api, exit_code=4)


def test_an_api_that_is_not_there_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTOPS_API_KEY", "ak_secret")
    told = terminal.text("team", "list", "--api-url", "http://127.0.0.1:1", exit_code=3)
    assert told == "Error: http://127.0.0.1:1 cannot be reached: no connection.\n"


def test_a_token_from_the_environment_comes_first(
    ann: Person, api: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTOPS_TOKEN", "nonsense")
    assert "not valid" in terminal.text("team", "list", exit_code=4)
    monkeypatch.setenv("ALERTOPS_TOKEN", ann.token)
    assert len(terminal.json("team", "list")) == 1
    monkeypatch.delenv("ALERTOPS_TOKEN")
    team = ann.make("/teams", {"name": "Others"})["id"]
    key = ann.make(f"/teams/{team}/api-keys", {"name": "CI", "scopes": ["manage"]})
    monkeypatch.setenv("ALERTOPS_API_KEY", key["key"])
    monkeypatch.setenv("ALERTOPS_API_URL", api)
    assert "--team" in terminal.text("flow", "list", exit_code=2)
    monkeypatch.setenv("ALERTOPS_TEAM", team)
    assert terminal.json("team", "show")["name"] == "Others", "a key is for one team"
    assert "ALERTOPS_TEAM" in terminal.text("team", "use", "Others", exit_code=4)


@pytest.mark.usefixtures("ann")
def test_a_token_is_not_shown_to_another_server(terminal: Terminal) -> None:
    told = terminal.text("team", "list", "--api-url", "http://127.0.0.1:1", exit_code=4)
    assert "Not logged in at http://127.0.0.1:1" in told


@pytest.mark.usefixtures("ann")
def test_a_token_that_has_ended_is_renewed(terminal: Terminal) -> None:
    end(terminal)
    before = Store(terminal.folder).read()
    assert len(terminal.json("team", "list")) == 1
    after = Store(terminal.folder).read()
    assert before is not None
    assert after is not None
    assert after.refresh_token != before.refresh_token
    assert after.expires_at > time.time() + 60
    assert [file.name for file in terminal.folder.iterdir() if file.name.startswith(".")] == []


@pytest.mark.usefixtures("ann")
def test_a_token_that_the_server_refuses_is_renewed(terminal: Terminal) -> None:
    store = Store(terminal.folder)
    login = store.read()
    assert login is not None
    store.write(replace(login, access_token="forgotten", expires_at=time.time() + 900))
    assert len(terminal.json("team", "list")) == 1


@pytest.mark.usefixtures("ann")
def test_a_login_that_has_ended_is_told_and_forgotten(terminal: Terminal) -> None:
    end(terminal, refresh_token="rft_" + "A" * 86)
    assert "The login has ended" in terminal.text("team", "list", exit_code=4)
    assert "Not logged in" in terminal.text("team", "list", exit_code=4)


@pytest.mark.usefixtures("ann")
def test_two_commands_at_once_spend_a_refresh_token_once(api: str, terminal: Terminal) -> None:
    end(terminal)
    spent: list[str] = []
    ready = Barrier(6)

    def counted(token: str) -> dict[str, Any] | None:
        spent.append(token)
        return refresh(api, token)

    def command() -> str:
        mine = FromLogin(Store(terminal.folder), counted)
        ready.wait()
        return mine.token()

    with ThreadPoolExecutor(6) as pool:
        tokens = list(pool.map(lambda _: command(), range(6)))
    assert len(spent) == 1
    assert len(set(tokens)) == 1
    assert len(terminal.json("team", "list")) == 1


def test_a_file_that_is_damaged_is_told(terminal: Terminal) -> None:
    terminal.folder.mkdir(parents=True)
    (terminal.folder / "credentials.json").write_text("{")
    assert "credentials.json cannot be used" in terminal.text("team", "list", exit_code=1)


def test_no_representation_shows_a_token(ann: Person, terminal: Terminal) -> None:
    login = Store(terminal.folder).read()
    assert ann.token not in f"{login!r} {vars(credentials)}"
    assert json.loads((terminal.folder / "credentials.json").read_text())["access_token"] == ann.token


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://a.example.org/", "https://a.example.org"),
        ("http://a:8000/alerts/api/v1", "http://a:8000/alerts"),
        ("a.example.org", None),
        ("ftp://a", None),
        ("https://user:pass@a", None),
        ("https://a/?x=1", None),
    ],
)
def test_the_address_of_an_api_is_checked(url: str, checked: str | None) -> None:
    if checked is None:
        with pytest.raises(ValueError, match="address"):
            checked_url(url)
    else:
        assert checked_url(url) == checked
