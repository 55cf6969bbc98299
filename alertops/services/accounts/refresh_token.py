"""Refresh tokens: two random halves of 256 bits, one for the session, one for this token of it.

    rft_<family><secret>         both in one base64url text

The family half stays for as long as the session does. So a spent token still tells whose it was, and the
database keeps one row a session, not one a token. It stores SHA-256 of both: they are random, and there is
nothing to guess that a slow hash would have to slow down.

The successor of a token is derived from its secret and a random nonce. Whoever has the spent token and is
let (see `refresh_session`) can be given the same successor again, though it is stored nowhere; whoever has
the token alone, or the database alone, cannot make it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from secrets import token_bytes

_BYTES = 32
_PREFIX = "rft_"  # lets people and scanners of secrets know one when they see it
_FORM = re.compile(r"rft_([A-Za-z0-9_-]{86})", re.ASCII)


@dataclass(frozen=True, repr=False)
class RefreshToken:
    """One token. It has no representation, so that none can end in a log."""

    family: bytes
    secret: bytes

    @classmethod
    def new(cls) -> RefreshToken:
        """The first one of a session."""
        return cls(token_bytes(_BYTES), token_bytes(_BYTES))

    @classmethod
    def parse(cls, text: str) -> RefreshToken | None:
        """The token that this text is, if it is one."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        halves = urlsafe_b64decode(f"{form[1]}==")
        return cls(halves[:_BYTES], halves[_BYTES:])

    def as_text(self) -> str:
        return _PREFIX + urlsafe_b64encode(self.family + self.secret).rstrip(b"=").decode()

    def successor(self, nonce: bytes) -> RefreshToken:
        """The one after it; the same for the same nonce."""
        return RefreshToken(self.family, hmac.digest(self.secret, nonce, "sha256"))

    @property
    def family_hash(self) -> bytes:
        return hashlib.sha256(self.family).digest()

    @property
    def secret_hash(self) -> bytes:
        return hashlib.sha256(self.secret).digest()


def new_nonce() -> bytes:
    return token_bytes(_BYTES)
