"""Sending through the webhook channel, to receivers on this machine."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_network
from pathlib import Path

import trustme

from alertops.channels.base import Channel
from alertops.channels.dial import Address
from alertops.channels.outward import WebhookSettings
from alertops.channels.resolver import LookUp, Resolver
from alertops.channels.webhook import WebhookChannel
from alertops.secret_box import SecretBox
from tests.api_environment import SECRETS_KEY

PUBLIC_URL = "https://alertops.test"
# Where the receivers of tests are; nothing else of this machine's networks is allowed.
LOOPBACK = "127.0.0.0/8"


def channel(
    *, allowed: str | None = LOOPBACK, ca_file: Path | None = None, look_up: LookUp | None = None
) -> Channel:
    networks = (ip_network(allowed),) if allowed else ()
    settings = WebhookSettings(networks, str(ca_file) if ca_file else None)
    return WebhookChannel(
        settings, PUBLIC_URL, SecretBox([SECRETS_KEY]), Resolver(look_up) if look_up else None
    )


def found(*addresses: str, port: int = 0) -> list[Address]:
    """What a resolver answers, for addresses of either family."""
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in addresses
    ]


class Authority:
    """A certificate authority of the tests' own, and servers that it vouches for."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context
