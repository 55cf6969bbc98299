"""Which addresses may be spoken to because a team asks for it."""

from __future__ import annotations

import pytest

from alertops.channels.public_address import AddressRules, read_networks

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
OURS = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fc00::1"],
    "metadata service": ["169.254.169.254", "fd00:ec2::254", "fe80::a9fe:a9fe"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0"],
    "shared by carriers": ["100.64.0.1", "100.100.100.200"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104  nothing is bound to it
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.8", "192.88.99.1", "fec0::1", "4000::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255"],
    "an IPv4 address in an IPv6 one": ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:a00:1::1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"],
    "Teredo": ["2001:0:a00:1::1", "2001:0:808:808::1"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address: str) -> None:
    assert AddressRules().permit(address)


@pytest.mark.parametrize("address", [address for kind in OURS.values() for address in kind])
def test_any_other_address_is_not(address: str) -> None:
    assert not AddressRules().permit(address)


def test_the_operator_can_allow_networks() -> None:
    rules = AddressRules(read_networks("10.1.0.0/16, fd00::/8"))
    allowed = ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::1", "8.8.8.8"]
    assert [address for address in allowed if not rules.permit(address)] == []
    assert [address for address in ("10.2.0.1", "127.0.0.1", "::1") if rules.permit(address)] == []


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "intranet", "10.0.0.0/8;10.1.0.0/8"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("/")[0]):
        read_networks(text)


def test_no_networks_are_none() -> None:
    assert read_networks("") == ()
