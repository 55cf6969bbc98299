"""What a user of the API does, over HTTP."""

from __future__ import annotations

import secrets
from typing import Any

import requests

TIMEOUT_SECONDS = 10


class Client:
    """A logged-in user; every answer that is not 2xx is an error."""

    def __init__(self, base_url: str) -> None:
        self._api = f"{base_url}/api/v1"
        self._http = requests.Session()

    def register_and_log_in(self, name: str, email: str) -> None:
        password = secrets.token_urlsafe(16)
        self._post("/auth/register", {"name": name, "email": email, "password": password})
        token = self._post("/auth/login", {"email": email, "password": password})["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def create_team(self, name: str) -> str:
        return str(self._post("/teams", {"name": name})["id"])

    def create_flow(self, team_id: str, flow: dict[str, Any]) -> str:
        return str(self._post(f"/teams/{team_id}/flows", flow)["id"])

    def trigger(self, flow_id: str, alert: dict[str, Any]) -> str:
        return str(self._post(f"/flows/{flow_id}/executions", alert)["id"])

    def acknowledge(self, execution_id: str) -> dict[str, Any]:
        return self._post(f"/executions/{execution_id}/acknowledge", {})

    def resolve(self, execution_id: str) -> dict[str, Any]:
        return self._post(f"/executions/{execution_id}/resolve", {})

    def execution(self, execution_id: str) -> dict[str, Any]:
        return self._answer(self._http.get(f"{self._api}/executions/{execution_id}", timeout=TIMEOUT_SECONDS))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(self._http.post(f"{self._api}{path}", json=body, timeout=TIMEOUT_SECONDS))

    @staticmethod
    def _answer(response: requests.Response) -> dict[str, Any]:
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer
