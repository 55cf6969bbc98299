"""A server that answers as it is told, and remembers what it was asked: for what no API of ours says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

ID = "9fbf1fa4-6a15-4a4a-9f11-2f3d1f2a4f11"


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class Recorded:
    """The server; answers are given in the order in which they were said, the last one again and again."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    _answers: list[Response] = field(default_factory=list)

    def say(
        self,
        status: int,
        body: Any,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with this from now on."""
        text = body if isinstance(body, str) else json.dumps(body)
        self._answers = [Response(text, status, headers, content_type=content_type)]

    def then(self, body: Any, status: int = 200) -> None:
        """And after that with this."""
        self._answers.append(Response(json.dumps(body), status, content_type="application/json"))

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        body = request.get_json(silent=True)
        path = request.path.removeprefix("/api/v1")
        self.asked.append(Asked(request.method, path, dict(request.args), body))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer(environ, start_response)


@contextmanager
def recorded() -> Iterator[Recorded]:
    """Such a server, while it is used."""
    app = Recorded()
    server = make_server("127.0.0.1", 0, app)
    thread = Thread(target=server.serve_forever)
    thread.start()
    app.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
