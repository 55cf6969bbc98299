"""The API of a room, with teams that have a flow each and a key to raise alerts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.local.client import Client
from tests.benchmarks.contenders.ours import Ours

ALERT: dict[str, Any] = {
    "summary": "The disk of db-1 is full",
    "severity": "critical",
    "details": {
        "host": "db-1",
        "mount": "/var",
        "used_percent": 97,
        "runbook": "https://wiki.test/disk-full",
    },
}
# As an Alertmanager sends them at most, unless told otherwise.
BATCH = 100


@dataclass(frozen=True)
class Door:
    """Where a team's alerts come in."""

    api: str
    flow_id: str
    key: str

    @property
    def one(self) -> str:
        return f"{self.api}/api/v1/flows/{self.flow_id}/executions"

    @property
    def many(self) -> str:
        return f"{self.one}/batch"


class KeyClient(Client):
    """A client that can make keys."""

    def make_key(self, team_id: str) -> str:
        made = self._post(f"/teams/{team_id}/api-keys", {"name": "Monitoring", "scopes": ["trigger"]})
        return str(made["key"])


def open_door(ours: Ours, name: str, *, delay_seconds: int) -> Door:
    """A team with somebody on call, who is mailed so long after an alert. The API must be up."""
    api = ours.fleet.api_url
    client = KeyClient(api)
    client.sign_in(name, f"{name}@example.org", "a password of the benchmarks")
    team_id = client.create_team(name)
    me = client._get("/me")["id"]
    node = {
        "name": "on call",
        "recipient": {"type": "user", "user_id": me},
        "delay_seconds": delay_seconds,
    }
    flow_id = client.create_flow(team_id, "One mail", [node])
    return Door(api, flow_id, client.make_key(team_id))
