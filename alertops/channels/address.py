"""Mail addresses in the one form that every mail server understands: ASCII."""

import re

import idna

# The dot-atom of RFC 5322, without what a mail program would decode as an encoded word.
_LOCAL_PART = re.compile(r"(?!.*=\?)[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)

_MAX_LOCAL_PART = 64
_MAX_ADDRESS = 254


def ascii_address(address: str) -> str:
    """`address` with its domain as A-labels; raise `ValueError`, with a sentence for a person, if unfit.

    A bare address only: no display name, no quoted local part, no address literal. A local part
    outside ASCII is refused, because SMTPUTF8 is not supported.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        raise ValueError(f"{address!r} is not a mail address: it has no @.")
    if not local.isascii():
        raise ValueError(
            f"{address!r} cannot be mailed: the part before @ is not ASCII, and SMTPUTF8 is not supported."
        )
    if len(local) > _MAX_LOCAL_PART or not _LOCAL_PART.fullmatch(local):
        raise ValueError(f"{address!r} is not a mail address: the part before @ is malformed.")
    encoded = f"{local}@{_ascii_domain(domain, address)}"
    if len(encoded) > _MAX_ADDRESS:
        raise ValueError(f"{address!r} is longer than a mail address can be.")
    return encoded


def _ascii_domain(domain: str, address: str) -> str:
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"{address!r} has no valid domain: {error}.") from error
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"{address!r} is not a mail address: the part after @ is malformed.")
    return domain
