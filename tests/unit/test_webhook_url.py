"""URLs of webhooks: read by everybody in the same way, or refused, without being quoted."""

from __future__ import annotations

import pytest

from alertops.channels.webhook_url import MAX_URL, check_webhook_url, shown_url

LONGEST = "https://example.org/".ljust(MAX_URL, "x")


@pytest.mark.parametrize(
    "url",
    [
        "http://a",
        "https://example.org/hooks/1?token=s%20t&x=[]#here",
        "HTTPS://Example.org:8443",
        "http://192.0.2.1:80/",
        "http://[2001:db8::1]:8080/x",
        "https://example.org./",
        "https://under_score.example.org/a@b:c",
        LONGEST,
    ],
)
def test_a_fit_url_is_kept_as_it_is(url: str) -> None:
    assert check_webhook_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/x",
        "//example.org/x",
        "ftp://example.org",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:",
        "http:example.org",
        "http:///x",
        "https://user@example.org",
        "https://user:secret@example.org",
        "https://@example.org",
        "https://example.org:0/",
        "https://example.org:70000/",
        "https://example.org:x/",
        "https://example..org/",
        "https://./",
        f"https://{'a' * 64}.org/",
        f"https://{'a.' * 127}org/",
        "https://%65xample.org/",
        "https://example.org\\@other.org/",
        "https://exam ple.org/",
        "https://example.org/\r\nHost: other",
        "https://example.org/\x00",
        "https://exämple.org/",
        "https://example.org/ä",
        "http://[::1/",
        "http://[v1.x]/",
        "http://[fe80::1%25eth0]/",
        "http://[::g]/",
        LONGEST + "x",
    ],
)
def test_an_unfit_url_is_refused_with_a_sentence_that_does_not_quote_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$") as refused:
        check_webhook_url(url)
    assert "secret" not in str(refused.value)
    assert "example" not in str(refused.value)


def test_a_url_is_shown_without_what_lets_others_use_it() -> None:
    assert shown_url("https://example.org:8443/secret?key=1") == "https://example.org:8443/…"
    assert shown_url("http://[::1]") == "http://[::1]/…"
