"""Connect to a machine that a team has named: to public addresses, or to networks that the operator allows.

The name is looked up once, and what was looked at is connected to, so that a name that means something else a
moment later leads nowhere else. No proxy is used, whatever the environment says: it would look up the name
itself.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from alertops.channels.base import ChannelError
from alertops.channels.deadline import Deadline
from alertops.channels.dial import Address, dial
from alertops.channels.endpoint import Endpoint
from alertops.channels.public_address import AddressRules, IPNetwork
from alertops.channels.resolver import Resolver


@dataclass(frozen=True)
class WebhookSettings:
    """Where webhooks may go: to public addresses, and to `allowed_networks` besides.

    Certificates are verified against `ca_file`; against the system's authorities when it is None.
    """

    allowed_networks: tuple[IPNetwork, ...] = ()
    ca_file: str | None = None


class Outward:
    """Safe to share between threads. Raises `OSError` at construction when `ca_file` cannot be read."""

    def __init__(self, settings: WebhookSettings, resolver: Resolver | None = None) -> None:
        self._rules = AddressRules(settings.allowed_networks)
        self._tls = ssl.create_default_context(cafile=settings.ca_file)
        self._resolver = resolver or Resolver()

    def connect(self, endpoint: Endpoint, deadline: Deadline) -> socket.socket:
        """A connection, with TLS if the endpoint has it.

        Raises `OSError`, `ValueError` for a name that cannot be one, and `ChannelError` (permanent) for an
        address that must not be spoken to.
        """
        addresses = self._resolver.addresses(endpoint.host, endpoint.port, deadline)
        self._require_permitted(endpoint, addresses)
        # The addresses that were looked at, and not the name: it could be looked up otherwise by now.
        sock = dial(addresses, deadline)
        if not endpoint.tls:
            return sock
        try:
            sock.settimeout(deadline.remaining())
            return self._tls.wrap_socket(sock, server_hostname=endpoint.host.rstrip("."))
        except BaseException:
            sock.close()
            raise

    def _require_permitted(self, endpoint: Endpoint, addresses: list[Address]) -> None:
        for *_, (address, *_) in addresses:
            if not self._rules.permit(str(address)):
                raise ChannelError(
                    f"{endpoint} is at {address}, which is not a public address: "
                    "the operator has to allow its network (ALERTOPS_WEBHOOK_ALLOWED_NETWORKS)",
                    permanent=True,
                )
