"""Users of the API: they raise alerts, answer some, and remember what they were told.

What the API answers is compared with the database later; so the history is kept here, by the clients
alone, and an alert counts as accepted only when a 2xx has arrived.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import requests

from deploy.chaos.alerts import PlannedAlert, PlannedFlow
from deploy.local.client import Client

T = TypeVar("T")

USERS = 24
# A user tries the same again after an error, as a monitoring system does.
PAUSE_SECONDS = 0.5
GIVE_UP_SECONDS = 90.0


@dataclass
class Raised:
    """One alert, as its client saw it. Times are the client's clock; None: it never got such an answer."""

    client: int
    key: str
    flow_id: str
    began_at: datetime
    accepted_at: datetime | None = None
    execution_id: UUID | None = None
    revision: int | None = None
    tries: int = 0
    answer_began_at: datetime | None = None
    acknowledged_at: datetime | None = None
    refused: str = ""


class Clients:
    """A crowd of users of one team. `history` grows while they work."""

    def __init__(self, base_url: str, flows: list[PlannedFlow]) -> None:
        self.history: list[Raised] = []
        self._stopping = threading.Event()
        self._base_url = base_url
        self._pool = ThreadPoolExecutor(USERS, thread_name_prefix="user")
        self._own = threading.local()
        self._numbers = iter(range(10_000))
        self._pending: list[Future[None]] = []
        user = Client(base_url)
        self._persistently(lambda: user.sign_in("Chaos", "chaos@example.org", "a long password"))
        self.token = user.token
        team_id = user.create_team("Chaos")
        self.flow_ids = [user.create_flow(team_id, flow.name, flow.nodes) for flow in flows]

    def raise_all(self, alerts: list[PlannedAlert], over_seconds: float) -> None:
        """Raise these at their times; returns when the last one was begun, or when told to stop."""
        began = time.monotonic()
        for alert in alerts:
            if self._stopping.wait(max(0.0, began + alert.share * over_seconds - time.monotonic())):
                return
            self._pending.append(self._pool.submit(self._raise, alert))
            if alert.twice:
                self._pending.append(self._pool.submit(self._raise, replace(alert, acknowledged_after=None)))

    def stop(self) -> None:
        """Leave everything as it is, without waiting for anybody."""
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def catch_up(self) -> None:
        """Wait until every user has done what they are at; raises what went wrong with any of them."""
        while self._pending:
            self._pending.pop().result()

    def finish(self) -> None:
        """The same, and then they go home."""
        self.catch_up()
        self._pool.shutdown()

    def _raise(self, alert: PlannedAlert) -> None:
        client = self._client()
        raised = Raised(self._own.number, alert.key, self.flow_ids[alert.flow], datetime.now(UTC))
        self.history.append(raised)

        def trigger() -> dict[str, Any]:
            raised.tries += 1
            return client.start(raised.flow_id, f"Alert {alert.key}", dedup_key=alert.key)

        execution = self._persistently(trigger)
        if execution is None:
            return
        raised.accepted_at = datetime.now(UTC)
        raised.execution_id, raised.revision = UUID(execution["id"]), int(execution["revision"])
        if alert.acknowledged_after is not None:
            at = time.monotonic() + alert.acknowledged_after
            self._pending.append(self._later(at, lambda: self._acknowledge(raised)))

    def _later(self, at: float, work: Callable[[], None]) -> Future[None]:
        """Do it at a time, without a thread of the crowd that waits for it."""
        done: Future[None] = Future()

        def run() -> None:
            try:
                self._pool.submit(work).result()
            except Exception as error:  # handed to whoever waits for the future
                done.set_exception(error)
            else:
                done.set_result(None)

        timer = threading.Timer(max(0.0, at - time.monotonic()), run)
        timer.daemon = True
        timer.start()
        return done

    def _acknowledge(self, raised: Raised) -> None:
        client = self._client()
        raised.answer_began_at = datetime.now(UTC)
        try:
            if self._persistently(lambda: client.acknowledge(str(raised.execution_id))) is not None:
                raised.acknowledged_at = datetime.now(UTC)
        except requests.HTTPError as error:
            raised.refused = f"{error.response.status_code} {error.response.text}"

    def _client(self) -> Client:
        """The calling thread's own user."""
        if not hasattr(self._own, "client"):
            # One user in several places: what is tested is not who may do what. Were each to log in, all at
            # the same time, hashing one password would be all that the API does for seconds.
            self._own.client, self._own.number = Client(self._base_url, self.token), next(self._numbers)
        found: Client = self._own.client
        return found

    def _persistently(self, work: Callable[[], T]) -> T | None:
        """Try again after no answer or a 5xx, the same each time; None when it took too long."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline and not self._stopping.is_set():
            try:
                return work()
            except requests.HTTPError as error:
                if error.response.status_code < 500:
                    raise
            except (requests.RequestException, ValueError):
                pass  # no answer, or half of one: whether it was heard is not known
            time.sleep(PAUSE_SECONDS)
        return None
