"""What `docs/webhooks.md` shows is what is sent."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

from alertops.channels.base import Notification
from alertops.channels.webhook_body import build_body

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
