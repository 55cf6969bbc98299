"""Users of the API: they raise alerts, answer some, do things about others, and remember what they were told.

What the API answers is compared with the database later; so the history is kept here, by the clients
alone, and an alert counts as accepted only when a 2xx has arrived.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from deploy.chaos.alerts import PlannedAlert, PlannedFlow
from deploy.chaos.mailboxes import OWNER
from deploy.chaos.operations import Asked, Kind, Operator, PlannedOperation
from deploy.chaos.patience import Patience
from deploy.local.client import Client

USERS = 24

Operations = Mapping[str, Sequence[PlannedOperation]]


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


class Clients:
    """A crowd of users of one team. `history` and `asked` grow while they work.

    `operations` is what is done about which alert, by its key; `takers` are the places of the flows that take
    others' executions over.
    """

    def __init__(
        self,
        base_url: str,
        flows: list[PlannedFlow],
        operations: Operations | None = None,
        takers: Sequence[int] = (),
    ) -> None:
        self.history: list[Raised] = []
        self.asked: list[Asked] = []
        self._operations = operations or {}
        self._patience = Patience()
        self._base_url = base_url
        self._pool = ThreadPoolExecutor(USERS, thread_name_prefix="user")
        self._own = threading.local()
        self._numbers = count()
        self._pending: list[Future[None]] = []
        user = Client(base_url)
        self._patience.persistently(lambda: user.sign_in("Chaos", OWNER, "a long password"))
        self.token = user.token
        self._user_id = user.user_id()
        team_id = user.create_team("Chaos")
        self.flow_ids = [user.create_flow(team_id, flow.name, flow.nodes) for flow in flows]
        self._takers = [self.flow_ids[place] for place in takers]

    def raise_all(self, alerts: list[PlannedAlert], over_seconds: float) -> None:
        """Raise these at their times; returns when the last one was begun, or when told to stop."""
        began = time.monotonic()
        for alert in alerts:
            if self._patience.stopping.wait(max(0.0, began + alert.share * over_seconds - time.monotonic())):
                return
            self._pending.append(self._pool.submit(self._raise, alert))
            if alert.twice:
                twin = replace(alert, acknowledged_after=None)
                self._pending.append(self._pool.submit(self._raise, twin, operated=False))

    def stop(self) -> None:
        """Leave everything as it is, without waiting for anybody."""
        self._patience.stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def catch_up(self) -> None:
        """Wait until every user has done what they are at; raises what went wrong with any of them."""
        while self._pending:
            self._pending.pop().result()

    def finish(self) -> None:
        """The same, and then they go home."""
        self.catch_up()
        self._pool.shutdown()

    def _raise(self, alert: PlannedAlert, *, operated: bool = True) -> None:
        client = self._client()
        raised = Raised(self._own.number, alert.key, self.flow_ids[alert.flow], datetime.now(UTC))
        self.history.append(raised)

        def trigger() -> dict[str, Any]:
            raised.tries += 1
            return client.start(raised.flow_id, f"Alert {alert.key}", dedup_key=alert.key)

        execution = self._patience.persistently(trigger)
        if execution is None:
            return
        raised.accepted_at = datetime.now(UTC)
        raised.execution_id, raised.revision = UUID(execution["id"]), int(execution["revision"])
        planned = list(self._operations.get(alert.key, ())) if operated else []
        if alert.acknowledged_after is not None:
            planned.append(PlannedOperation(Kind.ACKNOWLEDGE, alert.acknowledged_after))
        for number, operation in enumerate(planned, start=1):
            words = f"{operation.kind} {number} of {alert.key}"
            self._pending.append(self._later(operation, raised.execution_id, words))

    def _later(self, operation: PlannedOperation, execution_id: UUID, words: str) -> Future[None]:
        """Do it at its time, without a thread of the crowd that waits for it."""
        done: Future[None] = Future()

        def run() -> None:
            try:
                self._pool.submit(self._operate, operation, execution_id, words).result()
            except Exception as error:  # handed to whoever waits for the future
                done.set_exception(error)
            else:
                done.set_result(None)

        timer = threading.Timer(operation.after, run)
        timer.daemon = True
        timer.start()
        return done

    def _operate(self, operation: PlannedOperation, execution_id: UUID, words: str) -> None:
        asked = Asked(execution_id, operation.kind, words, datetime.now(UTC))
        self.asked.append(asked)
        operator = Operator(self._client(), self._patience, self._takers, self._user_id)
        operator.ask(asked, operation.choice)

    def _client(self) -> Client:
        """The calling thread's own user."""
        if not hasattr(self._own, "client"):
            # One user in several places: what is tested is not who may do what. Were each to log in, all at
            # the same time, hashing one password would be all that the API does for seconds.
            self._own.client, self._own.number = Client(self._base_url, self.token), next(self._numbers)
        found: Client = self._own.client
        return found
