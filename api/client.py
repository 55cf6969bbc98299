"""Where a request comes from: for the list of one's sessions, and for counting what one address tries."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from flask import request

from alertops.models.login_session import MAX_USER_AGENT
from alertops.services.open_session import Client


def calling_client() -> Client:
    """The running request's address and program; what is missing or no such thing is None."""
    name = "".join(filter(str.isprintable, request.user_agent.string))[:MAX_USER_AGENT]
    return Client(_address(request.remote_addr), name or None)


def _address(given: str | None) -> str | None:
    try:
        address = ip_address(given or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # A scope is of this machine alone. An IPv4 client of an IPv6 socket is an IPv4 client.
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)
