"""A real nginx with our configuration: what gets through to the API, and whom that takes for its client."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from string import Template
from threading import Thread
from typing import NamedTuple

import pytest
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

from api.client import calling_client, init_client
from api.config import MAX_BODY_BYTES
from deploy.first_secrets import make_secrets
from deploy.local import binaries, ports
from tests.deploy.deployed import DEPLOY

START_SECONDS = 10
TEMPLATE = DEPLOY / "nginx" / "alertops.conf.template"
AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    include {folder}/alertops.conf;
}}
"""


class Proxy(NamedTuple):
    """Where it listens."""

    http: int
    https: int

    def ask(self, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> HTTPResponse:
        """Over TLS, with the path as it is: nothing tidies it up on the way."""
        trusting = ssl._create_unverified_context()  # noqa: S323  the certificate is made up for this test
        connection = HTTPSConnection("127.0.0.1", self.https, timeout=10, context=trusting)
        connection.putrequest("POST" if body else "GET", path, skip_host=True)
        for name, value in {"Host": "localhost", **(headers or {})}.items():
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        return connection.getresponse()


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """In place of the API: says what it is asked, and by whom, with the API's own eyes."""
    app = Flask(__name__)
    init_client(app, trusted_proxies=1)

    @app.route("/<path:path>", methods=["GET", "POST"])
    def said(path: str) -> object:
        asked = request.get_data()
        return jsonify(path=path, client=calling_client().address, bytes=len(asked), host=request.host)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def proxy(upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    binaries.ensure_installed([binaries.PROXY], report=print)
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)  # nginx gives its workers an account of their own
    make_secrets(folder / "secrets", "localhost")
    http = ports.choose()
    there = Proxy(http, ports.choose())
    said = Template(TEMPLATE.read_text()).safe_substitute(
        ALERTOPS_DOMAIN="localhost",
        ALERTOPS_UPSTREAM=f"127.0.0.1:{upstream}",
        ALERTOPS_TLS=str(folder / "secrets" / "tls"),
        ALERTOPS_HTTP=f"127.0.0.1:{there.http}",
        ALERTOPS_HTTPS=f"127.0.0.1:{there.https}",
    )
    (folder / "alertops.conf").write_text(said)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    program = binaries.server_program(binaries.PROXY)
    command = [program, "-p", folder, "-c", folder / "nginx.conf"]
    checked = subprocess.run([*command, "-t"], check=False, capture_output=True, text=True)  # noqa: S603
    assert checked.returncode == 0, checked.stderr
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603  our own words
        wait_for(there.https, process)
        yield there
        process.terminate()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ports.is_accepting(port):
        assert process.poll() is None, "nginx ended at once"
        assert time.monotonic() < deadline, "nginx does not come up"
        time.sleep(0.02)


def test_requests_get_through_with_their_host(proxy: Proxy) -> None:
    answer = proxy.ask("/api/v1/teams")
    assert answer.status == 200
    said = answer.read()
    assert b'"path":"api/v1/teams"' in said
    assert b'"host":"localhost"' in said
    assert answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "x-forwarded-for"])
def test_nobody_says_of_himself_where_he_is(proxy: Proxy, header: str) -> None:
    """Limits are counted by the client's address: who could choose it, could go on for ever."""
    answer = proxy.ask("/api/v1/auth/login", headers={header: "203.0.113.9, 198.51.100.1"})
    assert b'"client":"127.0.0.1"' in answer.read()


INSIDE = ("metrics", "healthz", "readyz")


@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.parametrize("form", ["/{}", "//{}", "/{}/", "/./{}", "/api/../{}", "/{}?x=1", "/%{:x}{}"])
def test_what_is_for_operators_is_not_for_the_world(proxy: Proxy, name: str, form: str) -> None:
    path = form.format(ord(name[0]), name[1:]) if ":x" in form else form.format(name)
    answer = proxy.ask(path)
    assert answer.status == 404
    assert b'"client"' not in answer.read(), "it came through"


def test_a_body_as_large_as_the_api_takes_gets_through_and_no_larger_one(proxy: Proxy) -> None:
    answer = proxy.ask("/api/v1/flows", body=b"x" * MAX_BODY_BYTES)
    assert f'"bytes":{MAX_BODY_BYTES}' in answer.read().decode()
    assert proxy.ask("/api/v1/flows", body=b"x" * (MAX_BODY_BYTES + 1)).status == 413


def test_what_comes_without_tls_is_sent_to_where_it_is_spoken(proxy: Proxy) -> None:
    connection = HTTPConnection("127.0.0.1", proxy.http, timeout=10)
    connection.request("GET", "/api/v1/me?x=1", headers={"Host": "elsewhere.example.org"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, "https://localhost/api/v1/me?x=1")
    connection.close()
    connection.request("GET", "/proxy-up")
    assert connection.getresponse().status == 204
