"""Access tokens that somebody made who must not: each differs in one thing from one that is good."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alertops.signing_keys import KeyRing

ALGORITHM = "EdDSA"


def forged_tokens(good: str, ring: KeyRing) -> dict[str, str]:
    """Tokens that must be refused, by what is wrong with them."""
    return {
        **{f"claims: {name}": resigned(good, ring, **changes) for name, changes in _claims().items()},
        **{f"without {name}": resigned(good, ring, **{name: None}) for name in _NEEDED},
        **_by_another_hand(good, ring),
        **_header(good, ring),
        **_damaged(good),
    }


def resigned(good: str, ring: KeyRing, **changes: Any) -> str:
    """The token with these claims changed (None: left out), signed with our own key."""
    changed = {**claims_of(good), **changes}
    claims = {name: value for name, value in changed.items() if value is not None}
    return _signed(ring, {"typ": "at+jwt", "alg": ALGORITHM, "kid": ring.signing_id}, _json(claims))


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


_NEEDED = ("exp", "iss", "aud", "sub", "jti", "sid")


def _claims() -> dict[str, dict[str, Any]]:
    now = int(time.time())
    return {
        "expired": {"exp": now - 1},
        "not valid yet": {"nbf": now + 60},
        "expires at no number": {"exp": "never"},
        "another issuer": {"iss": "somebody else"},
        "issuers": {"iss": ["alertops"]},
        "another audience": {"aud": "another service"},
        "nobody": {"sub": str(uuid4())},
        "a subject that is no id": {"sub": "admin"},
        "an id that is none": {"jti": "1"},
        "a session that is none": {"sid": "1"},
        "a session that has ended": {"sid": str(uuid4())},
        "a refresh token": {"type": "refresh"},
        "another type": {"type": "id"},
    }


def _by_another_hand(good: str, ring: KeyRing) -> dict[str, str]:
    claims, kid = claims_of(good), {"kid": ring.signing_id, "typ": "at+jwt"}
    stranger = Ed25519PrivateKey.generate()
    public = ring.verifying[ring.signing_id]
    as_secrets = {
        "the public key": public.public_bytes_raw(),
        "the public key in PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "the name of the key": ring.signing_id.encode(),
    }
    return {
        "wrong key": jwt.encode(claims, stranger, algorithm=ALGORITHM, headers=kid),
        "wrong key without kid": jwt.encode(claims, stranger, algorithm=ALGORITHM),
        "alg none": jwt.encode(claims, None, algorithm="none", headers=kid),
        **{
            f"{algorithm} with {name}": _hmac(claims, kid, secret, algorithm)
            for name, secret in as_secrets.items()
            for algorithm in ("HS256", "HS512")
        },
    }


def _hmac(claims: dict[str, Any], header: dict[str, Any], secret: bytes, algorithm: str) -> str:
    """Signed with what is not secret. PyJWT refuses to do that with a PEM, an attacker's tool does not."""
    body = ".".join(
        _encoded(part) for part in (_json({"typ": "at+jwt", "alg": algorithm, **header}), _json(claims))
    )
    signature = jwt.get_algorithm_by_name(algorithm).sign(body.encode(), secret)
    return f"{body}.{_encoded(signature)}"


def _header(good: str, ring: KeyRing) -> dict[str, str]:
    def named(**header: Any) -> str:
        return _signed(ring, {"typ": "at+jwt", "alg": ALGORITHM, **header}, _decoded(good.split(".")[1]))

    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _encoded(Ed25519PrivateKey.generate().public_key().public_bytes_raw()),
    }
    return {
        "no kid": named(),
        "another kind of token": named(kid=ring.signing_id, typ="JWT"),
        "a kind that is a list": named(kid=ring.signing_id, typ=["at+jwt"]),
        "unknown kid": named(kid="unknown"),
        "a kid that is a path": named(kid="../../../dev/null"),
        "a kid that is a list": named(kid=[ring.signing_id]),
        "a kid that is null": named(kid=None),
        "a key of its own in the header": named(kid="mine", jwk=jwk, jku="https://example.org/keys"),
        "an algorithm of no name": named(kid=ring.signing_id, alg=""),
        "an algorithm that is a list": named(kid=ring.signing_id, alg=[ALGORITHM]),
        "unknown critical extension": named(kid=ring.signing_id, crit=["b64"], b64=False),
    }


def _damaged(good: str) -> dict[str, str]:
    header, payload, signature = good.split(".")
    flipped = bytearray(_decoded(signature))
    flipped[0] ^= 1
    tampered = _encoded(_decoded(payload).replace(b":", b": "))
    return {
        "tampered payload": f"{header}.{tampered}.{signature}",
        "tampered signature": f"{header}.{payload}.{_encoded(bytes(flipped))}",
        "no signature": f"{header}.{payload}.",
        "half a signature": f"{header}.{payload}.{signature[:43]}",
        "two parts": f"{header}.{payload}",
        "four parts": f"{good}.{signature}",
        "payload that is a list": f"{header}.{_encoded(b'[]')}.{signature}",
        "payload that is no JSON": f"{header}.{_encoded(b'{')}.{signature}",
        "no token": "x",
    }


def _signed(ring: KeyRing, header: dict[str, Any], payload: bytes) -> str:
    """Signed by us, whatever it says: PyJWT would not write some of it."""
    body = f"{_encoded(_json(header))}.{_encoded(payload)}"
    return f"{body}.{_encoded(ring.signing_key.sign(body.encode()))}"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(value: str) -> bytes:
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))
