"""What a plugin of Apprise finds in place of the library `requests`.

Only the modules of the plugins that we use see it (`services.py` puts it there); for everybody else
`requests` is what it is. Each call becomes a question of the talk that its thread is in, and comes back as
`requests` would have answered. What a plugin says about time, redirects, certificates and proxies is passed
over: the talk decides these.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import requests
from requests.structures import CaseInsensitiveDict

from alertops.channels.http_exchange import Answer

# What of a call says what is asked, and not how it is to be sent.
_OF_THE_QUESTION = frozenset({"headers", "files", "data", "params", "auth", "cookies", "json"})
_VERBS = ("get", "post", "put", "patch", "delete")
# What is no way to the network.
_HARMLESS = frozenset({"codes", "exceptions", "RequestException", "ConnectionError", "Timeout", "HTTPError"})


class Asked(Protocol):
    """A talk, as far as it is known here."""

    def ask(self, request: requests.PreparedRequest) -> Answer:
        """The answer; raises `requests.ConnectionError` when there is none."""
        ...


class StandIn:
    """Looks like the module; knows what plugins need of it, and nothing else."""

    def __init__(self) -> None:
        self._here = threading.local()
        for verb in _VERBS:
            setattr(self, verb, partial(self.request, verb.upper()))

    def __getattr__(self, name: str) -> Any:
        if name in _HARMLESS or (name[:1].isupper() and _is_error(name)):
            return getattr(requests, name)
        raise AttributeError(f"a plugin of Apprise wants requests.{name}, which it does not have here")

    @contextmanager
    def asking(self, talk: Asked) -> Iterator[None]:
        """What this thread asks is asked in the talk."""
        self._here.talk = talk
        try:
            yield
        finally:
            del self._here.talk

    def request(self, method: str, url: str, data: Any = None, **said: Any) -> requests.Response:
        """As `requests.request`."""
        talk: Asked | None = getattr(self._here, "talk", None)
        if talk is None:
            # A plugin that says goodbye when it is forgotten, for example.
            raise requests.ConnectionError("nothing is being sent")
        question = {name: value for name, value in said.items() if name in _OF_THE_QUESTION}
        prepared = requests.Request(method, url, data=data, **question).prepare()
        return _response(prepared, talk.ask(prepared))


def _is_error(name: str) -> bool:
    found = getattr(requests.exceptions, name, None)
    return isinstance(found, type) and issubclass(found, Exception)


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.request = request
    response.url = str(request.url)
    response.status_code = answer.status
    response.reason = answer.reason
    response.headers = CaseInsensitiveDict(answer.headers)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response.raw = io.BytesIO(answer.body)
    return response


STAND_IN = StandIn()
