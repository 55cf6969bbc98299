"""What tells a receiver that a message is ours: Standard Webhooks 1.0."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from alertops.channels.http_exchange import Headers
from alertops.secret_box import SecretBox


def identify(key: str, body: bytes, sealed_secrets: Sequence[str], box: SecretBox) -> Headers:
    """The headers that name the message and its time; with secrets, one more has a signature by each.

    Raises `SecretsError` when one cannot be opened. The key must be ours alone to choose: it has full stops,
    which are what the signed text is joined with.
    """
    now = datetime.now(UTC)
    headers = [("webhook-id", key), ("webhook-timestamp", str(int(now.timestamp())))]
    if sealed_secrets:
        signers = (Webhook(box.open(sealed)) for sealed in sealed_secrets)
        signatures = (signer.sign(key, now, body.decode("ascii")) for signer in signers)
        headers.append(("webhook-signature", " ".join(signatures)))
    return headers
