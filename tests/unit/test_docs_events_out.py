"""What `docs/events-out.md` shows is what is sent, and it names every event that there is."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from uuid import UUID

from alertops.channels.event_body import Event, build_event_body
from alertops.models.timeline import EVENTS

PAGE = (Path(__file__).parents[2] / "docs" / "events-out.md").read_text()


def test_the_body_in_the_documentation_is_the_one_that_is_sent() -> None:
    [shown] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    body = json.loads(shown)
    data = body["data"]
    event = Event(
        key="key",
        url="https://status.example.com/hooks/9f2c",
        event=data["event"],
        at=datetime.fromisoformat(body["timestamp"]),
        position=data["position"],
        execution_id=UUID(data["execution_id"]),
        team_id=UUID(data["team_id"]),
        flow_id=UUID(data["flow_id"]),
        status=data["status"],
        summary=data["summary"],
        severity=data["severity"],
        dedup_key=data["dedup_key"],
        step=data["step"],
        target=data["target"],
        attempt=data["attempt"],
        actor_id=UUID(data["actor_id"]),
        detail=data["detail"],
    )
    sent = json.loads(build_event_body(event, "https://alerts.example.com"))
    assert sent == body
    assert (list(sent), list(sent["data"])) == (list(body), list(data))


def test_every_event_is_named() -> None:
    [listed] = re.findall(r"that are added\nlater: (.*?)\. The URL", PAGE, re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == list(EVENTS)
