"""Who is asking: what a request shows to the API, and how that is renewed.

A script has a token or an API key in its environment. A person has logged in: an access token for some
minutes, and a refresh token that is good once. Two commands that find the access token spent at the same time
must not both spend the refresh token, for the second one would end the session: whoever comes second waits,
and finds the new tokens.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from alertops.cli.people.errors import NotLoggedInError
from alertops.cli.people.store import Login, Store

ENVIRONMENT = ("ALERTOPS_TOKEN", "ALERTOPS_API_KEY")

# Shown shortly before its end, a token could end on the way.
_LEEWAY_SECONDS = 30

# Gets the next tokens for a refresh token; None when it is not good any more.
Refresh = Callable[[str], dict[str, Any] | None]


class Credentials(Protocol):
    """What a request shows."""

    def token(self) -> str:
        """The token to show."""

    def renewed(self, refused: str) -> str | None:
        """Another token, after this one was refused; None when there is none to be had."""


class FromEnvironment:
    """What a variable says; nobody but whoever set it can renew it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def renewed(self, refused: str) -> None:
        return None


class FromLogin:
    """The login that the file keeps."""

    def __init__(self, store: Store, refresh: Refresh) -> None:
        self._store, self._refresh = store, refresh

    def token(self) -> str:
        login = self._login()
        if login.expires_at - time.time() > _LEEWAY_SECONDS:
            return login.access_token
        return self.renewed(login.access_token) or login.access_token

    def renewed(self, refused: str) -> str | None:
        with self._store.alone():
            login = self._login()
            if login.access_token != refused:
                return login.access_token  # somebody else was faster
            tokens = self._refresh(login.refresh_token)
            if tokens is None:
                self._store.forget()
                raise NotLoggedInError("The login has ended: run `alertops login` again.")
            login = replace(login, **of_tokens(tokens))
            self._store.write(login)
            return login.access_token

    def _login(self) -> Login:
        login = self._store.read()
        if login is None:
            raise NotLoggedInError("Not logged in: run `alertops login`.")
        return login


def of_tokens(tokens: dict[str, Any]) -> dict[str, Any]:
    """What a login keeps of tokens, as the API gives them."""
    return {
        "access_token": tokens["access_token"],
        "refresh_token": tokens["refresh_token"],
        "expires_at": time.time() + tokens["expires_in"],
    }


def from_environment() -> FromEnvironment | None:
    """What the environment names, if it does."""
    for name in ENVIRONMENT:
        if token := os.environ.get(name, "").strip():
            return FromEnvironment(token)
    return None
