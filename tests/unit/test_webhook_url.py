"""URLs of webhooks: which can be posted to, and what is made of them."""

from __future__ import annotations

import pytest

from alertops.channels.endpoint import Endpoint
from alertops.channels.webhook_url import MAX_URL, check_webhook_url


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/services/T1/B2/xyz?token=a%20b#there",
        "http://10.0.0.1:8080",
        "HTTPS://[2001:db8::1]:8443/",
        "https://bücher.example/päth",
        "https://example.com/" + "x" * (MAX_URL - 20),
    ],
)
def test_a_url_that_can_be_posted_to_is_kept_as_it_is(url: str) -> None:
    assert check_webhook_url(url) == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "must begin with https://"),
        ("ftp://example.com/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("//example.com/", "must begin with https://"),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://:443/", "names no host"),
        ("https://good.example\\.evil.example/", "names no host"),
        ("https://user:secret@example.com/", "no user name or password"),
        ("https://@example.com/", "no user name or password"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "not a URL"),
        ("https://example.com:http/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://example.com/a b", "no spaces"),
        ("https://example.com/\r\nHost: other", "no spaces and no control"),
        ("https://example.com/\x00", "no control"),
        ("https://example.com/" + "x" * MAX_URL, "at most 2000"),
    ],
)
def test_a_url_that_cannot_be_posted_to_is_refused_in_words(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        check_webhook_url(url)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Example.com", Endpoint("example.com", 443, True, "example.com", "/")),
        ("http://example.com:80/a?b=c", Endpoint("example.com", 80, False, "example.com", "/a?b=c")),
        ("http://example.com:8080?b", Endpoint("example.com", 8080, False, "example.com:8080", "/?b")),
        ("https://[2001:DB8::1]/", Endpoint("2001:db8::1", 443, True, "[2001:db8::1]", "/")),
        ("https://ä.example/ä%20#x", Endpoint("xn--4ca.example", 443, True, "xn--4ca.example", "/%C3%A4%20")),
        ("http://my_service:80/", Endpoint("my_service", 80, False, "my_service", "/")),
    ],
)  # fmt: skip
def test_what_is_asked_of_whom(url: str, expected: Endpoint) -> None:
    assert Endpoint.of(url) == expected


def test_a_host_that_no_name_can_be_made_of_is_refused() -> None:
    with pytest.raises(ValueError, match="not the name of a host"):
        Endpoint.of("https://ä..example/")


def test_the_path_is_not_told() -> None:
    endpoint = Endpoint.of("https://example.com:8443/secret?token=secret")
    assert str(endpoint) == "https://example.com:8443"
    assert "secret" not in repr(endpoint)
