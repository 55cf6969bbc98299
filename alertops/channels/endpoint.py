"""Where a URL points: what to look up, what to verify, what to ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from alertops.channels.webhook_url import check_webhook_url

_PORTS = {"http": 80, "https": 443}


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
        host = str(parts.hostname)
        usual = _PORTS[parts.scheme]
        port = usual if parts.port is None else parts.port
        shown = f"[{host}]" if ":" in host else host
        return cls(
            host=host,
            port=port,
            tls=parts.scheme == "https",
            authority=shown if port == usual else f"{shown}:{port}",
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"
