"""What happens when. Each scene waits for what it needs to see, not for a time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from deploy.demo import newcomer
from deploy.demo.scenario import ACKNOWLEDGED, NODES, RESOLVED, UNANSWERED
from deploy.local.client import Client
from deploy.local.errors import LocalStackError
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import SmtpSink

SCENE_SECONDS = 60.0
LOOK_SECONDS = 0.25

Shown = list[dict[str, Any]]


class Story:
    """Somebody joins the team; three alerts: one is acknowledged, one is resolved, one nobody answers.

    `show` is called with the executions whenever they were looked at, `tell` with what was done.
    """

    def __init__(
        self,
        client: Client,
        fleet: Fleet,
        sink: SmtpSink,
        show: Callable[[Shown], None],
        tell: Callable[[str], None],
    ) -> None:
        self._client = client
        self._fleet = fleet
        self._sink = sink
        self._show = show
        self._tell = tell
        self.ids: list[str] = []

    def run(self) -> Shown:
        """Let it happen; the executions as they ended."""
        team = self._client.create_team("Demo")
        self._tell("registered, and created a team")
        newcomer.join(self._client, team, self._fleet.api_url, self._sink, self._tell)
        self._raise_alerts(team)
        unanswered, acknowledged, resolved = range(3)
        self._until("the primary was told", lambda seen: _delivered(seen[resolved], step=1))
        self._client.resolve(self.ids[resolved])
        self._tell(f"resolved '{RESOLVED['summary']}': its other nodes stay silent")
        self._kill_a_host()
        self._until("the team lead was told", lambda seen: _delivered(seen[acknowledged], step=3))
        answer = self._client.acknowledge(self.ids[acknowledged])
        in_flight = len(answer["in_flight"])
        self._tell(f"acknowledged '{ACKNOWLEDGED['summary']}' ({in_flight} sends in flight)")
        seen = self._until("nobody is left to tell", lambda seen: seen[unanswered]["status"] == "exhausted")
        self._tell(f"'{UNANSWERED['summary']}' is exhausted: all were told, nobody answered")
        return seen

    def _raise_alerts(self, team: str) -> None:
        flow = self._client.create_flow(team, "On call", NODES)
        self._tell("created a flow of four nodes")
        for alert in (UNANSWERED, ACKNOWLEDGED, RESOLVED):
            self.ids.append(self._client.trigger(flow, **alert))
        self._tell(
            "raised three alerts; the primary's mailbox is full for now, the stand-in's does not exist"
        )

    def _kill_a_host(self) -> None:
        host = self._fleet.hosts["a"]
        pids = host.pids
        host.kill()
        self._tell(f"killed worker host a with SIGKILL (processes {', '.join(map(str, pids))})")

    def _until(self, what: str, met: Callable[[Shown], bool]) -> Shown:
        deadline = time.monotonic() + SCENE_SECONDS
        while True:
            seen = [self._client.execution(id_) for id_ in self.ids]
            self._show(seen)
            if met(seen):
                return seen
            if time.monotonic() > deadline:
                raise LocalStackError(f"Waited {SCENE_SECONDS:g} s in vain until {what}.")
            time.sleep(LOOK_SECONDS)


def _delivered(execution: dict[str, Any], *, step: int) -> bool:
    attempts = execution["steps"][step - 1]["attempts"]
    return any(attempt["status"] == "delivered" for attempt in attempts)
