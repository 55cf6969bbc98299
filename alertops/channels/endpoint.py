"""Where a URL points: what to look up, what to verify, what to ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import idna

from alertops.channels.webhook_url import check_webhook_url

_PORTS = {"http": 80, "https": 443}
# What may stand in a path or a query as it is (RFC 3986), and the % of what is escaped already.
_SAFE = "%/:@!$&'()*+,;=~?"


@dataclass(frozen=True)
class Endpoint:
    """A host, a port, and what is asked of it. The path may be all the secret there is: it is never told."""

    host: str
    port: int
    tls: bool
    # As the Host header has it.
    authority: str
    target: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Raises `ValueError`, with a sentence for a person, when nothing can be posted there."""
        parts = urlsplit(check_webhook_url(url))
        host = _ascii_host(str(parts.hostname))
        usual = _PORTS[parts.scheme]
        port = usual if parts.port is None else parts.port
        shown = f"[{host}]" if ":" in host else host
        return cls(
            host=host,
            port=port,
            tls=parts.scheme == "https",
            authority=shown if port == usual else f"{shown}:{port}",
            target=quote(parts.path or "/", safe=_SAFE)
            + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""),
        )

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"


def _ascii_host(host: str) -> str:
    """The host as the DNS has it: A-labels (RFC 5891)."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{host!r} is not the name of a host: {error}.") from error
