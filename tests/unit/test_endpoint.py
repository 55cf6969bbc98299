"""Where the URL of a webhook points."""

from __future__ import annotations

import pytest

from alertops.channels.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Example.com", Endpoint("example.com", 443, True, "example.com", "/")),
        ("http://example.com:80/a?b=c", Endpoint("example.com", 80, False, "example.com", "/a?b=c")),
        ("http://example.com:8080?b", Endpoint("example.com", 8080, False, "example.com:8080", "/?b")),
        ("https://[2001:DB8::1]/", Endpoint("2001:db8::1", 443, True, "[2001:db8::1]", "/")),
        ("https://example.com/%C3%A4%20#x", Endpoint("example.com", 443, True, "example.com", "/%C3%A4%20")),
        ("http://my_service:81/", Endpoint("my_service", 81, False, "my_service:81", "/")),
    ],
)
def test_what_is_asked_of_whom(url: str, expected: Endpoint) -> None:
    assert Endpoint.of(url) == expected


def test_what_nothing_can_be_posted_to_is_refused() -> None:
    with pytest.raises(ValueError, match="user name"):
        Endpoint.of("https://user@example.com/")


def test_the_path_is_not_told() -> None:
    endpoint = Endpoint.of("https://example.com:8443/secret?token=secret")
    assert str(endpoint) == "https://example.com:8443"
    assert "secret" not in repr(endpoint)
