"""The text of an integration's key: what a monitoring system shows, and what the database knows it by.

32 letters and digits, as PagerDuty's clients insist on, chosen by chance: 190 bits. The first four are shown
in lists, so that people know a key again; the 166 bits after them are not. The database has SHA-256 of the
whole: it is random, and there is nothing to guess that a slow hash would have to slow down.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from dataclasses import dataclass

LENGTH = 32
SHOWN = 4

_ALPHABET = string.ascii_letters + string.digits
_FORM = re.compile(rf"[A-Za-z0-9]{{{LENGTH}}}", re.ASCII)


@dataclass(frozen=True, repr=False)
class IntegrationKey:
    """One key. It has no representation, so that none can end in a log."""

    text: str

    @classmethod
    def new(cls) -> IntegrationKey:
        return cls("".join(secrets.choice(_ALPHABET) for _ in range(LENGTH)))

    @classmethod
    def parse(cls, text: str) -> IntegrationKey | None:
        """The key that this is; None when it is none."""
        return cls(text) if _FORM.fullmatch(text) else None

    @property
    def prefix(self) -> str:
        return self.text[:SHOWN]

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()
