"""The services of Apprise that are offered: each is held to our connections; and what a URL must be."""

from __future__ import annotations

import ast
import inspect
import re
import socket
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests

from alertops.channels.apprise import services
from alertops.channels.apprise.schemes import SCHEMES, read_schemes
from alertops.channels.apprise.services import _plugin_kind, find_place, secrets_of
from alertops.channels.apprise.stand_in import STAND_IN
from alertops.errors import ConfigurationError
from tests.unit.test_config import load

# What a plugin could reach the network with, or this host, beside `requests`.
OTHER_WAYS = frozenset(
    {"asyncio", "ctypes", "ftplib", "http.client", "httpx", "imaplib", "shutil", "smtplib", "socket", "ssl"}
    | {"subprocess", "telnetlib", "urllib.request", "urllib3", "xmlrpc", "dbus", "paho", "tempfile"}
)
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def module_of(scheme: str) -> ModuleType:
    module = inspect.getmodule(_plugin_kind(scheme))
    assert module is not None
    return module


def syntax_of(scheme: str) -> ast.Module:
    return ast.parse(Path(str(module_of(scheme).__file__)).read_text())


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_no_plugin_asks_anything_when_it_is_forgotten(scheme: str) -> None:
    assert not hasattr(_plugin_kind(scheme), "__del__")


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_service_reaches_the_network_by_our_requests_alone(scheme: str) -> None:
    assert vars(module_of(scheme))["requests"] is STAND_IN
    for node in ast.walk(syntax_of(scheme)):
        if isinstance(node, ast.Import):
            assert OTHER_WAYS.isdisjoint(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.module not in OTHER_WAYS
            assert not (node.module or "").startswith("requests.sessions")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("time", "sleep")
            if node.value.id == "requests":
                # There, or the plugin would fail with the first alert.
                assert hasattr(STAND_IN, node.attr)


def test_who_else_uses_requests_has_the_real_one() -> None:
    _plugin_kind("slack")
    assert requests.post.__module__ == "requests.api"
    assert isinstance(requests.Session(), requests.sessions.Session)


@pytest.mark.parametrize("name", ["Session", "sessions", "adapters", "request_", "packages"])
def test_the_stand_in_has_no_other_way_to_the_network(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(STAND_IN, name)


def test_nothing_is_asked_outside_of_a_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it connects"))
    with pytest.raises(requests.ConnectionError):
        STAND_IN.request("POST", "https://example.com/")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (SLACK, "slack://…"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "tgram://…"),
        (
            "mmosts://chat.example.org:8443/3ccdd113474722377935511fc85d3dd4",
            "mmosts://chat.example.org:8443/…",
        ),
        ("ntfys://ntfy.sh/our-secret-topic", "ntfys://…"),
    ],
)
def test_of_a_url_nothing_is_shown_that_lets_others_use_it(url: str, shown: str) -> None:
    place = find_place(url)
    assert place.shown == shown
    assert repr(place).count("://") == 1


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "Not a URL as Apprise has them"),
        ("hello", "Not a URL as Apprise has them"),
        ("slack://", "Not a URL as Apprise has them"),
        ("slack://with a space", "Not a URL as Apprise has them"),
        ("slack://tökens", "Not a URL as Apprise has them"),
        (f"slack://{'a' * 2000}", "at most 2,000 characters"),
        ("https://hooks.slack.com/services/T/B/C", "https:// is a webhook"),
        ("slack://secret-token", "slack://{token_a}/{token_b}/{token_c}"),
        ("ntfys://ntfy.sh/one-topic/another-topic", "It names several places"),
        *(
            (f"{scheme}://localhost/x", f"There is no scheme {scheme}://")
            for scheme in (
                "dbus",
                "syslog",
                "windows",
                "mailto",
                "json",
                "form",
                "xml",
                "mqtt",
                "macosx",
                "file",
            )
        ),
    ],
)
def test_what_names_no_place_is_refused_without_being_quoted(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as refused:
        find_place(url)
    assert "secret" not in str(refused.value)
    assert "topic" not in str(refused.value)


@pytest.mark.parametrize("said", ["template=/etc/passwd", "verify=no", "redirect=yes", "retry=9", "RTO=600"])
def test_what_is_not_decided_by_a_url_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=f"parameter {said.partition('=')[0].lower()}"):
        find_place(f"{SLACK}?{said}")


def test_no_file_is_read_for_a_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    monkeypatch.setattr("builtins.open", lambda *_, **__: pytest.fail("it opens a file"))
    with pytest.raises(ValueError, match="parameter template"):
        find_place(f"{SLACK}?template=file://{secret}")


def test_the_operator_says_which_services_there_are() -> None:
    assert load().apprise_schemes == SCHEMES
    assert load(ALERTOPS_APPRISE_SCHEMES="slack, tgram").apprise_schemes == {"slack", "tgram"}
    assert load(ALERTOPS_APPRISE_SCHEMES="none").apprise_schemes == frozenset()
    with pytest.raises(
        ConfigurationError, match=r"ALERTOPS_APPRISE_SCHEMES must be none, or some of .*: not json"
    ):
        load(ALERTOPS_APPRISE_SCHEMES="slack,json")
    with pytest.raises(ValueError, match="not among what the operator allows: tgram"):
        find_place(SLACK, read_schemes(["tgram"]))


def test_the_documentation_lists_every_scheme_that_there_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "apprise.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|") and "://" not in line]
    told = {word for line in rows for word in re.findall(r"`([a-z0-9]+)`", line)}
    assert told & SCHEMES == SCHEMES


def test_a_service_that_the_installed_library_lacks_is_told_of_and_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "_plugin_kind", lacking("slack"))
    assert services.missing_of(["slack", "tgram"]) == ["slack"]
    with pytest.raises(ValueError, match="The Apprise that is installed here has no slack://"):
        find_place(SLACK)


def lacking(scheme: str) -> Any:
    def kind(asked: str) -> Any:
        if asked == scheme:
            raise ModuleNotFoundError(scheme)
        return _plugin_kind(asked)

    return kind


def test_every_part_of_a_url_that_could_be_a_secret_is_known_as_it_is_there_and_decoded() -> None:
    found: Any = secrets_of("matrixs://user1:p%40ssword@host.example/%23room-x?token=abc%2Fdefgh&x=1")
    assert {"user1", "p%40ssword", "p@ssword", "host.example", "#room-x", "abc/defgh"} <= found
    assert "1" not in found
