"""The keys that sign access tokens: Ed25519, in one PEM file that the operator keeps.

    private key, the first    signs every new token
    private key, the next     only verifies yet; the next rotation makes it sign
    public keys               retired: they signed tokens that may still be alive

A key is in the file for a whole rotation before it signs. So a rotation needs no order in which processes
and machines must learn of it: whoever still has the file as it was verifies what the others sign by now.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from alertops.errors import SigningKeysError

# So many retired keys go on verifying; what they signed is long expired before they are dropped, unless
# somebody rotates more often than access tokens expire.
RETIRED_KEYS = 2

_MAX_BYTES = 64 * 1024
_OPEN_TO_OTHERS = stat.S_IRWXO | stat.S_IWGRP
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, repr=False)
class KeyRing:
    """The keys of one file. It has no representation, so that none can end in a log."""

    private: tuple[Ed25519PrivateKey, ...]
    retired: tuple[Ed25519PublicKey, ...]

    @classmethod
    def new(cls) -> KeyRing:
        """A key that signs, and the one that will."""
        return cls((Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()), ())

    @property
    def signing_key(self) -> Ed25519PrivateKey:
        return self.private[0]

    @cached_property
    def signing_id(self) -> str:
        """The `kid` of the tokens that are signed now."""
        return key_id(self.signing_key.public_key())

    @cached_property
    def verifying(self) -> dict[str, Ed25519PublicKey]:
        """Every key that a token may be signed with, by `kid`."""
        return {key_id(key): key for key in (*(key.public_key() for key in self.private), *self.retired)}

    def rotated(self) -> KeyRing:
        """The next key signs, and what signed until now verifies.

        A file with a single private key gets its next one: nobody else knows that yet, so the one that
        signs goes on signing.
        """
        new = Ed25519PrivateKey.generate()
        if len(self.private) == 1:
            return KeyRing((*self.private, new), self.retired)
        first, *rest = self.private
        retired = (first.public_key(), *self.retired)[:RETIRED_KEYS]
        return KeyRing((*rest, new) if len(rest) == 1 else tuple(rest), retired)

    def secret_for(self, purpose: str) -> bytes:
        """A secret that is derived from the signing key, for keyed hashes; it changes with each rotation."""
        return hmac.digest(self.signing_key.private_bytes_raw(), f"alertops {purpose}".encode(), "sha256")

    def as_pem(self) -> bytes:
        private = (
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in self.private
        )
        public = (key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in self.retired)
        return b"".join((*private, *public))


def key_id(key: Ed25519PublicKey) -> str:
    """The key's JWK thumbprint (RFC 7638): it follows from the key, so that nobody has to hand out names."""
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{_base64url(key.public_bytes_raw())}"}}'
    return _base64url(hashlib.sha256(jwk.encode()).digest())


def read_keys(file: Path) -> KeyRing:
    """The keys in the file; `SigningKeysError` says what is wrong with it, and never quotes it."""
    keys = list(_keys(file, _content(file)))
    private = tuple(key for key in keys if isinstance(key, Ed25519PrivateKey))
    retired = tuple(key for key in keys if isinstance(key, Ed25519PublicKey))
    if not private:
        raise SigningKeysError(f"{file} has no private key: nothing could be signed")
    return KeyRing(private, retired)


def generate_keys(file: Path) -> KeyRing:
    """Make a new file with new keys, readable by its owner alone; never over one that is there."""
    ring = KeyRing.new()
    try:
        _write_new(file, ring.as_pem())
    except FileExistsError as error:
        raise SigningKeysError(f"{file} exists; it is not overwritten") from error
    except OSError as error:
        raise SigningKeysError(f"{file} cannot be written: {error.strerror}") from error
    return ring


def rotate_keys(file: Path) -> KeyRing:
    """Put the rotated keys into the file, at once or not at all; owner and mode stay what they are."""
    ring = read_keys(file).rotated()
    file = file.resolve()
    unfinished = file.with_name(f"{file.name}.new")
    try:
        _write_new(unfinished, ring.as_pem(), like=file.stat())
        unfinished.replace(file)
    except FileExistsError as error:
        raise SigningKeysError(
            f"{unfinished} exists: another rotation is under way, or one was cut off; then delete it"
        ) from error
    except OSError as error:
        raise SigningKeysError(f"{file} cannot be written: {error.strerror}") from error
    return ring


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SigningKeysError(f"{file} cannot be read: {error.strerror}") from error
    if mode & _OPEN_TO_OTHERS:
        raise SigningKeysError(
            f"{file} is open to others (mode {stat.S_IMODE(mode):04o}): chmod 600 it, or 640 for a group"
        )
    if len(content) > _MAX_BYTES:
        raise SigningKeysError(f"{file} is too large to be a file of keys")
    return content


def _keys(file: Path, pem: bytes) -> Iterator[Ed25519PrivateKey | Ed25519PublicKey]:
    for number, block in enumerate(_BLOCK.finditer(pem), start=1):
        try:
            key = _key(block[1], block[0])
        # None of what cryptography raises is passed on: no error may ever quote a key.
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SigningKeysError(f"{file}: key {number} is damaged or encrypted") from None
        if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
            raise SigningKeysError(f"{file}: key {number} is not an Ed25519 key")
        yield key


def _key(kind: bytes, block: bytes) -> object:
    if kind == b"PUBLIC KEY":
        return load_pem_public_key(block)
    return load_pem_private_key(block, password=None)


def _write_new(file: Path, content: bytes, *, like: os.stat_result | None = None) -> None:
    """Create the file with this content, on disk before this returns."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as output:
            if like is not None:
                # A rotation by root must leave the file to the account that the API runs under.
                os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            output.write(content)
            output.flush()
            os.fsync(descriptor)
    except BaseException:
        file.unlink()
        raise


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
