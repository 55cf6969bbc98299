"""What a user of the API does, over HTTP."""

from typing import Any

import requests

TIMEOUT_SECONDS = 10


class Client:
    """One user of one API. Every answer that is not 2xx is raised as `requests.HTTPError`."""

    def __init__(self, base_url: str, token: str = "") -> None:  # nosec B107  none, before signing in
        self._api = f"{base_url}/api/v1"
        self._http = requests.Session()
        self._be_known_by(token)

    def sign_in(self, name: str, email: str, password: str) -> None:
        """Log in, and be known from then on; with an account that is opened now if there is none."""
        credentials = {"email": email, "password": password}
        try:
            self._log_in(credentials)
        except requests.HTTPError as error:
            if error.response.status_code != 401:
                raise
            self._post("/auth/register", {"name": name, **credentials})
            self._log_in(credentials)

    def teams(self) -> list[dict[str, Any]]:
        return list(self._get("/teams")["items"])

    def create_team(self, name: str) -> str:
        return str(self._post("/teams", {"name": name})["id"])

    def invite(self, team_id: str, email: str, role: str) -> str:
        """Invite the address; returns the invitation's id."""
        return str(self._post(f"/teams/{team_id}/invitations", {"email": email, "role": role})["id"])

    def accept_invitation(self, token: str) -> dict[str, Any]:
        """Say yes, with the token from the mail, logged in or not."""
        return self._post(f"/invitations/{token}/accept", {})

    def verify_address(self, token: str) -> None:
        """Prove that one's address is one's own."""
        self._http.post(
            f"{self._api}/auth/verify-email", json={"token": token}, timeout=TIMEOUT_SECONDS
        ).raise_for_status()

    def user_id(self) -> str:
        return str(self._get("/me")["id"])

    def memberships(self) -> list[dict[str, Any]]:
        return list(self._get("/me")["memberships"])

    def flows(self, team_id: str) -> list[dict[str, Any]]:
        return list(self._get(f"/teams/{team_id}/flows")["items"])

    def create_flow(self, team_id: str, name: str, nodes: list[dict[str, Any]], **more: Any) -> str:
        return str(self._post(f"/teams/{team_id}/flows", {"name": name, "nodes": nodes, **more})["id"])

    def flow(self, flow_id: str) -> tuple[dict[str, Any], str]:
        """The flow, and its ETag, which a change of it must name."""
        response = self._http.get(f"{self._api}/flows/{flow_id}", timeout=TIMEOUT_SECONDS)
        return self._answer(response), response.headers["ETag"]

    def reorder(self, flow_id: str, node_ids: list[str], etag: str) -> str:
        """Put the nodes in this order; returns the flow's new ETag."""
        return self._edit("PUT", f"/flows/{flow_id}/nodes/order", {"node_ids": node_ids}, etag)

    def change_node(self, flow_id: str, node_id: str, change: dict[str, Any], etag: str) -> str:
        """Change these members of a node; returns the flow's new ETag."""
        return self._edit("PATCH", f"/flows/{flow_id}/nodes/{node_id}", change, etag)

    def add_node(self, flow_id: str, node: dict[str, Any], etag: str) -> str:
        """Add a node at its `position`, or at the end; returns the flow's new ETag."""
        return self._edit("POST", f"/flows/{flow_id}/nodes", node, etag)

    def remove_node(self, flow_id: str, node_id: str, etag: str) -> str:
        """Take a node out of the flow; returns the flow's new ETag."""
        return self._edit("DELETE", f"/flows/{flow_id}/nodes/{node_id}", None, etag)

    def expect_pings(self, team_id: str, flow_id: str, **more: Any) -> dict[str, Any]:
        """Make a heartbeat; its key is in the answer."""
        return self._post(f"/teams/{team_id}/heartbeats", {"name": "Job", "flow_id": flow_id, **more})

    def heartbeat(self, heartbeat_id: str) -> dict[str, Any]:
        return self._get(f"/heartbeats/{heartbeat_id}")

    def subscribe(self, team_id: str, url: str, **more: Any) -> str:
        """Have a machine told what happens to the team's executions."""
        return str(
            self._post(f"/teams/{team_id}/subscriptions", {"name": "Machine", "url": url, **more})["id"]
        )

    def unsubscribe(self, subscription_id: str) -> None:
        self._http.delete(
            f"{self._api}/subscriptions/{subscription_id}", timeout=TIMEOUT_SECONDS
        ).raise_for_status()

    def keep_destination(self, team_id: str, name: str, url: str) -> str:
        """Keep a place that flows can name; returns its id."""
        return str(self._post(f"/teams/{team_id}/destinations", {"name": name, "url": url})["id"])

    def start(self, flow_id: str, summary: str, **more: Any) -> dict[str, Any]:
        """Raise an alert; returns its execution."""
        return self._post(f"/flows/{flow_id}/executions", {"summary": summary, **more})

    def trigger(self, flow_id: str, summary: str, **more: Any) -> str:
        """Raise an alert; returns the id of its execution."""
        return str(self.start(flow_id, summary, **more)["id"])

    def acknowledge(self, execution_id: str) -> dict[str, Any]:
        return self._post(f"/executions/{execution_id}/acknowledge", {})

    def operate(self, execution_id: str, operation: str, **body: Any) -> dict[str, Any]:
        """Any operation of `docs/operations.md`, by the last part of its route."""
        return self._post(f"/executions/{execution_id}/{operation}", body)

    def snooze(self, execution_id: str, seconds: int) -> dict[str, Any]:
        return self._post(f"/executions/{execution_id}/snooze", {"for_seconds": seconds})

    def resolve(self, execution_id: str) -> dict[str, Any]:
        return self._post(f"/executions/{execution_id}/resolve", {})

    def execution(self, execution_id: str) -> dict[str, Any]:
        return self._get(f"/executions/{execution_id}")

    def timeline(self, execution_id: str) -> list[dict[str, Any]]:
        """What happened, oldest first; the first hundred entries."""
        return list(self._get(f"/executions/{execution_id}/timeline?limit=100")["items"])

    def _log_in(self, credentials: dict[str, str]) -> None:
        self._be_known_by(str(self._post("/auth/login", credentials)["access_token"]))

    def _be_known_by(self, token: str) -> None:
        self.token = token
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def _get(self, path: str) -> dict[str, Any]:
        return self._answer(self._http.get(f"{self._api}{path}", timeout=TIMEOUT_SECONDS))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(self._http.post(f"{self._api}{path}", json=body, timeout=TIMEOUT_SECONDS))

    def _edit(self, method: str, path: str, body: dict[str, Any] | None, etag: str) -> str:
        response = self._http.request(
            method, f"{self._api}{path}", json=body, headers={"If-Match": etag}, timeout=TIMEOUT_SECONDS
        )
        self._answer(response)
        return response.headers["ETag"]

    @staticmethod
    def _answer(response: requests.Response) -> dict[str, Any]:
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer
