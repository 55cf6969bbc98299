"""Links that alerts bring: whoever has one was told of an execution, and may answer it without an account.

    https://alerts.example.com/a/<signature>.<execution>.<step>.<target>

What is signed is the name of the message (`AttemptKey.idempotency_key`), so that every attempt at a target
brings the same link, and nothing has to be stored. The signature comes first: what a link ends with is then a
digit, which no program leaves out of the link.

How long a link is good is not in it: it is counted from the firing of its step (`services/find_linked.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID

from itsdangerous import Signer

MIN_KEY_BYTES = 32
MAX_KEYS = 10

# Longer than any that we make; nothing is computed of what is longer still.
_MAX_TOKEN = 200
_SALT = "alertops answer link"


class LinkedTarget(NamedTuple):
    """What a link names: one target of one step of an execution."""

    execution_id: UUID
    step: int
    target: int

    @property
    def key(self) -> str:
        """The idempotency key of the messages that bring the link."""
        return f"{self.execution_id}.{self.step}.{self.target}"


class AnswerLinks:
    """Makes links, and reads them. It has no representation, so that no key can end in a log.

    `keys` are newest first: the first signs, and all of them verify.
    """

    def __init__(self, public_url: str, keys: Sequence[str]) -> None:
        self.public_url = public_url
        # The signer has them oldest first.
        self._signer = Signer(
            [*reversed(keys)], salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256
        )

    def url_of(self, key: str) -> str:
        """The link in every message with this idempotency key. Never logged."""
        return f"{self.public_url}/a/{quote(self.token_of(key), safe='')}"

    def token_of(self, key: str) -> str:
        return f"{self._signer.get_signature(key).decode()}.{key}"

    def read(self, token: str) -> LinkedTarget | None:
        """What the token names; None when none of our keys has signed it."""
        if len(token) > _MAX_TOKEN:
            return None
        signature, _, key = token.partition(".")
        if not self._signer.verify_signature(key, signature):
            return None
        execution_id, step, target = key.split(".")
        return LinkedTarget(UUID(execution_id), int(step), int(target))
