"""What `docs/webhooks.md` shows is what is sent."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from alertops.channels.base import Notification
from alertops.channels.webhook_body import build_body
from alertops.channels.webhook_signature import identify
from alertops.secret_box import SecretBox
from tests.api_environment import SECRETS_KEY

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"


def test_the_body_in_the_documentation_is_the_one_that_is_sent() -> None:
    [shown] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    body = json.loads(shown)
    notification = Notification(
        key="key",
        address="https://hooks.example.com/alerts/7f3a",
        execution_id=body["execution"],
        step=body["step"],
        target=body["target"],
        attempt=body["attempt"],
        summary=body["summary"],
        severity=body["severity"],
        details=body["details"],
        team_name=body["team"],
        flow_name=body["flow"],
        node_name=body["node"],
        started_at=datetime.fromisoformat(body["started_at"]),
        may_repeat=body["may_repeat"],
    )
    assert json.loads(build_body(notification, "https://alerts.example.com")) == body
    assert list(json.loads(build_body(notification, "https://alerts.example.com"))) == list(body)


def test_the_receiver_in_the_documentation_takes_what_is_signed_and_nothing_else() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    there: dict[str, Any] = {}
    exec(shown, there)  # noqa: S102  it is our own page
    take = there["take"]
    box, secret = SecretBox([SECRETS_KEY]), f"whsec_{'A' * 43}="
    body = b'{"type":"alert.step"}'
    headers = dict(identify("e.1.1", body, [box.seal(secret)], box))
    assert take(secret, headers, body) == {"type": "alert.step"}
    assert take(secret, headers, body + b" ") is None
    assert take(secret, headers | {"webhook-id": "e.1.2"}, body) is None
    assert take(f"whsec_{'B' * 43}=", headers, body) is None
