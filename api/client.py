"""Where a request comes from: for the list of one's sessions, and for counting what one address tries."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from alertops.models.login_session import MAX_USER_AGENT
from alertops.services.accounts.open_session import Client


def init_client(app: Flask, trusted_proxies: int) -> None:
    """Believe so many proxies in front of this process, and nobody else, about whom they speak for.

    Each proxy appends to `X-Forwarded-For` who spoke to it; what a client wrote there itself is further left
    than that many entries.
    """
    if trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # how Flask wants it
            app.wsgi_app, x_for=trusted_proxies, x_proto=0, x_host=0, x_port=0, x_prefix=0
        )


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
