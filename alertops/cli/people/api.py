"""One request to the API: a time limit, who is asking, and an error that a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from alertops.cli.people.credentials import Credentials
from alertops.cli.people.errors import NotLoggedInError, RefusedError, UnreachableError

# To connect, and between two bytes of an answer.
TIMEOUT_SECONDS = (5, 30)
PREFIX = "/api/v1"
PAGE = 100


@dataclass(frozen=True)
class Answer:
    """What came back; `etag` names the version, where there is one."""

    json: Any
    status: int
    etag: str | None


class _Bearer(requests.auth.AuthBase):
    """Shows this token, and not what a .netrc may say of the host."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Api:
    """The API at one address, asked by somebody; without credentials, by nobody."""

    def __init__(self, url: str, credentials: Credentials | None = None) -> None:
        self.url = url
        self._credentials = credentials
        self._http = requests.Session()
        self._http.headers["User-Agent"] = "alertops-cli"

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Answer:
        return self.call("POST", path, body)

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.get(path, limit=PAGE, **query, **more).json
            yield from page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, Any] | None = None,
        seen: str | None = None,
        token: str | None = None,
    ) -> Answer:
        """Ask once; once more with a new token, if the one that was shown has ended. `seen` is for If-Match.

        `token` is shown instead of the credentials. Raises the errors of `errors.py`.
        """
        headers = {"If-Match": seen} if seen else {}
        ask = {"json": body, "params": query, "headers": headers}
        if token is not None or self._credentials is None:
            return self._understood(self._send(method, path, token, **ask))
        shown = self._credentials.token()
        response = self._send(method, path, shown, **ask)
        if response.status_code == requests.codes.unauthorized and (
            renewed := self._credentials.renewed(shown)
        ):
            response = self._send(method, path, renewed, **ask)
        return self._understood(response)

    def _send(self, method: str, path: str, token: str | None, **ask: Any) -> requests.Response:
        try:
            # No redirects: a token is for this server.
            return self._http.request(
                method,
                self.url + PREFIX + path,
                auth=_Bearer(token),
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                **ask,
            )
        except requests.RequestException as error:
            raise UnreachableError(f"{self.url} cannot be reached: {_why(error)}.") from error

    def _understood(self, response: requests.Response) -> Answer:
        content = self._content(response)
        if _went_well(response):
            return Answer(content, response.status_code, response.headers.get("ETag"))
        problem = content if isinstance(content, dict) else {}
        problem.setdefault("status", response.status_code)
        if response.status_code == requests.codes.unauthorized:
            raise NotLoggedInError(str(problem.get("detail", "The API does not know who is asking.")))
        if response.status_code >= requests.codes.internal_server_error:
            detail = problem.get("detail", f"status {response.status_code}")
            raise UnreachableError(f"{self.url} cannot answer now: {detail}")
        raise RefusedError(problem)

    def _content(self, response: requests.Response) -> Any:
        if not response.content and _went_well(response):
            return None
        try:
            if "json" in response.headers.get("Content-Type", ""):
                return response.json()
        except ValueError:
            pass  # told below, as what is no JSON at all
        if response.status_code >= requests.codes.internal_server_error:
            return None  # a proxy's page: the status says enough
        raise UnreachableError(
            f"What answers at {self.url} is not the AlertOps API (status {response.status_code})."
        )


def _went_well(response: requests.Response) -> bool:
    """Whether the status is 2xx; for requests, a redirect is well too."""
    return bool(response.status_code < requests.codes.multiple_choices)


def checked_url(url: str) -> str:
    """The address of an API without what follows the host's path; ValueError when it is none."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not an address such as https://alerts.example.org")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the address of the API has neither a user nor a query")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(PREFIX)}"


def _why(error: requests.RequestException) -> str:
    """A few words: what requests says holds addresses of objects, and the whole chain."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
