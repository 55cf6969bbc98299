"""Secrets that must be read again, and so cannot be stored as hashes: sealed, by keys that the operator has.

    3f9a61c2.gAAAAABp...     the name of a key, and what is sealed with it (Fernet: AES-128-CBC, HMAC-SHA256)

A key is named by a hash of it. So a secret says itself which key it takes, an error can name the one that is
missing, and a rotation finds by the name what is not sealed with the newest key yet.

Keys are newest first: the first seals, and all of them open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from cryptography.fernet import Fernet, InvalidToken

from alertops.errors import SecretsError

KEYS_VARIABLE = "ALERTOPS_SECRETS_KEYS"
MAKE_A_KEY = "alertops secrets generate"
MAX_KEYS = 10


class SecretBox:
    """Seals secrets, and opens them. It has no representation, so that no key can end in a log.

    Raises `ValueError` at construction when there is no key, or one is none; `problems_of` says which.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("there is no key to seal with")
        self._by_name = {key_name(key): Fernet(key) for key in keys}
        self.newest = key_name(keys[0])

    def seal(self, secret: str) -> str:
        """What may be stored; another text each time."""
        return f"{self.newest}.{self._by_name[self.newest].encrypt(secret.encode()).decode()}"

    def open(self, sealed: str) -> str:
        """The secret; `SecretsError` when its key is not among ours, or it was not sealed with that."""
        name, _, token = sealed.partition(".")
        key = self._by_name.get(name)
        if key is None:
            raise SecretsError(f"a secret is sealed with the key {name}, which {KEYS_VARIABLE} does not have")
        try:
            return key.decrypt(token).decode()
        except InvalidToken:
            # What cryptography raises is not passed on: no error may ever hold a part of a secret.
            raise SecretsError(f"a secret that names the key {name} was not sealed with it") from None

    def reseal(self, sealed: str) -> str:
        """The same secret, sealed with the newest key; raises as `open` does."""
        return self.seal(self.open(sealed))


def key_name(key: str) -> str:
    """What a key is known by. It follows from the key, and tells nothing about it."""
    return hashlib.sha256(f"alertops secrets {key}".encode()).hexdigest()[:8]


def new_key() -> str:
    return Fernet.generate_key().decode()


def problems_of(keys: Sequence[str]) -> Iterator[str]:
    """What is wrong with these as keys, without quoting any."""
    if not keys:
        yield f"{KEYS_VARIABLE} is not set; this makes a key: {MAKE_A_KEY}"
    elif len(keys) > MAX_KEYS:
        yield f"{KEYS_VARIABLE} must have at most {MAX_KEYS} keys, and has {len(keys)}"
    for number, key in enumerate(keys[:MAX_KEYS], start=1):
        try:
            Fernet(key)
        except ValueError:
            yield (
                f"{KEYS_VARIABLE} must have keys of 32 bytes in base64url, and key {number} is none; "
                f"this makes one: {MAKE_A_KEY}"
            )
