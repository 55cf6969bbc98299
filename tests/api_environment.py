"""The environment that an API process in a test is told, with keys to sign its tokens."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from alertops.signing_keys import generate_keys

# Nothing listens there: the API has to do without a broker.
NO_BROKER = "amqp://nobody:nothing@127.0.0.1:1/"

LINK_KEY = "a key of the tests that signs the links in alerts"
# As good as any, and no other run needs to know it: but all processes of one must.
SECRETS_KEY = "YWxlcnRvcHMtdGVzdHMtc2VhbC13aXRoLXRoaXMtMS0="


def api_environment(database_url: str, broker_url: str = NO_BROKER, **more: str) -> dict[str, str]:
    """What the API must be told, and `more`."""
    return {
        "ALERTOPS_DATABASE_URL": database_url,
        "ALERTOPS_BROKER_URL": broker_url,
        "ALERTOPS_JWT_KEYS_FILE": str(keys_file()),
        "ALERTOPS_SMTP_HOST": "127.0.0.1",
        "ALERTOPS_MAIL_FROM": "alerts@alertops.test",
        "ALERTOPS_PUBLIC_URL": "https://alertops.test",
        "ALERTOPS_LINK_KEYS": LINK_KEY,
        "ALERTOPS_SECRETS_KEYS": SECRETS_KEY,
        **more,
    }


@cache
def keys_file() -> Path:
    """The keys of this run's applications."""
    file = Path(_folder().name) / "keys.pem"
    generate_keys(file)
    return file


@cache
def _folder() -> TemporaryDirectory[str]:
    """Deleted when the run ends."""
    return TemporaryDirectory(prefix="alertops-keys-")
