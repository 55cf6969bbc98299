"""Which addresses may be spoken to because a team asks for it: those of the public Internet.

Whoever may edit a flow chooses where our hosts connect to. Without this, that would be our own network: the
database, the metadata service of a cloud, a router's page (server-side request forgery, SSRF).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

# All that IANA has given out of IPv6 for hosts of the Internet.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# NAT64 (RFC 6052): the last four bytes are the IPv4 address that is really spoken to.
_NAT64 = IPv6Network("64:ff9b::/96")
# Set aside by IANA, and public to the `ipaddress` of some Python that we run on.
_SET_ASIDE: tuple[IPNetwork, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, given up
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("3fff::/20"),  # documentation
)


@dataclass(frozen=True)
class AddressRules:
    """Public addresses, and the networks that the operator allows besides."""

    allowed: tuple[IPNetwork, ...] = ()

    def permit(self, address: str) -> bool:
        """Whether this address may be connected to."""
        spoken_to = _unwrapped(ip_address(address.partition("%")[0]))
        return _is_public(spoken_to) or any(spoken_to in network for network in self.allowed)


def read_networks(text: str) -> tuple[IPNetwork, ...]:
    """Networks in CIDR form, separated by commas; `ValueError` names the one that is none."""
    return tuple(ip_network(network.strip()) for network in text.split(",") if network.strip())


def _is_public(address: IPAddress) -> bool:
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    if any(address in network for network in _SET_ASIDE):
        return False
    return address.is_global and not address.is_multicast


def _unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address
