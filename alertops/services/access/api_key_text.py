"""The text of an API key: what a program shows, and what the database knows it by.

    aok_<8 visible>_<secret>     256 random bits in base64url

The visible part is shown in lists, so that people know a key again. The database has SHA-256 of the whole: it
is random, and there is nothing to guess that a slow hash would have to slow down.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from secrets import token_hex, token_urlsafe

PREFIX = "aok_"  # lets people and scanners of secrets know one when they see it
_FORM = re.compile(r"(aok_[0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, repr=False)
class ApiKeyText:
    """One key. It has no representation, so that none can end in a log."""

    text: str
    prefix: str

    @classmethod
    def new(cls) -> ApiKeyText:
        prefix = PREFIX + token_hex(4)
        return cls(f"{prefix}_{token_urlsafe(32)}", prefix)

    @classmethod
    def parse(cls, text: str) -> ApiKeyText | None:
        """The key that this is; None when it is none."""
        match = _FORM.fullmatch(text)
        return cls(text, match[1]) if match else None

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()
