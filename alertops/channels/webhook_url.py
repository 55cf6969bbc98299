"""The URL of a webhook, in the forms that can be posted to."""

from urllib.parse import urlsplit

from alertops.channels.text import one_line

MAX_URL = 2000
_SHOWN = 100


def check_webhook_url(text: str) -> str:
    """`text` as it is; raise `ValueError`, with a sentence for a person, if nothing can be posted there.

    Whether its host may be spoken to is known when its addresses are, at each sending.
    """
    if len(text) > MAX_URL:
        raise ValueError(f"A webhook's URL has at most {MAX_URL} characters.")
    if not text.isprintable() or " " in text:
        raise ValueError("A webhook's URL has no spaces and no control characters.")
    shown = one_line(text, _SHOWN)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{shown!r} is not a URL: {error}.") from error
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{shown!r} is not the URL of a webhook: it must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise ValueError("A webhook's URL has no user name or password: they would be shown to everybody.")
    if not parts.hostname or "\\" in parts.netloc:
        raise ValueError(f"{shown!r} names no host.")
    if port == 0:
        raise ValueError(f"{shown!r} names the port 0, to which nothing can connect.")
    return text
