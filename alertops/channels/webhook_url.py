"""The URLs that webhooks may have, and how they are shown. Nothing here asks the network."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

MAX_URL = 2000

# What RFC 3986 lets a URL consist of. Programs disagree on how to read the rest, and so on where it leads.
_FIT = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_MAX_HOST = 253


def check_webhook_url(text: str) -> str:
    """The URL as it was given; raise `ValueError`, with a sentence for a person, if it is unfit.

    The sentence does not quote the URL: who knows one can often use it.
    """
    if len(text) > MAX_URL:
        raise ValueError(f"A URL has at most {MAX_URL:,} characters.")
    if not _FIT.fullmatch(text):
        raise ValueError("Not a URL: it has characters that have to be percent-encoded.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("Not a URL: its host or its port is malformed.") from error
    if parts.scheme not in ("http", "https"):
        raise ValueError("A webhook has an http or https URL.")
    if "@" in parts.netloc:
        raise ValueError("A URL must not hold a user name or a password.")
    if port == 0 or not _is_host(parts):
        raise ValueError("Not a URL: its host or its port is malformed.")
    return text


def shown_url(url: str) -> str:
    """Where it leads, without what lets others use it too: a team sees it when a member was told there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if ":" in host or parts.netloc.startswith("["):
        return _is_ip6(host)
    return len(host) <= _MAX_HOST and all(
        _LABEL.fullmatch(label) for label in host.removesuffix(".").split(".")
    )


def _is_ip6(host: str) -> bool:
    try:
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False
