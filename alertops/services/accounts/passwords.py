"""Passwords: hashed with argon2id, and never a hint in the answer or in its timing."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

_hasher = PasswordHasher()

# Checked when there is no such account, so that the answer takes as long as for a wrong password.
_NOBODYS_HASH = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """The hash to store; it holds its own salt and parameters."""
    return _hasher.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password is the one that was stored; `None` (no account) takes as long to refuse."""
    try:
        _hasher.verify(stored or _NOBODYS_HASH, password)
    except VerifyMismatchError:
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with parameters that are no longer ours."""
    return _hasher.check_needs_rehash(stored)
