"""Which flows group alerts, and how: as this process has last seen it.

It may be behind an edit. That shows as soon as an execution is opened, as its row names the revision; then
what is known here is put right, and whoever opened it begins anew (`services/start_executions.py`). Alerts
that are taken in meanwhile are taken in as the revision says that their execution runs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.escalation.flow import Flow
from alertops.models import Execution
from alertops.services.frozen_flows import frozen_flows

# A flow that is forgotten is learned again.
REMEMBERED = 10_000


@dataclass(frozen=True)
class Grouping:
    """What a flow groups alerts by, and for how long an execution takes them in."""

    fields: tuple[str, ...]
    window_seconds: int

    @classmethod
    def of(cls, flow: Flow) -> Grouping | None:
        return cls(flow.group_by, flow.group_window_seconds) if flow.group_by else None


class _Known:
    """Flows that group, by id; shared by threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._flows: OrderedDict[UUID, Grouping] = OrderedDict()

    def find(self, flow_ids: Iterable[UUID]) -> dict[UUID, Grouping]:
        with self._lock:
            return {id_: self._flows[id_] for id_ in flow_ids if id_ in self._flows}

    def learn(self, flow_id: UUID, grouping: Grouping | None) -> None:
        with self._lock:
            self._flows.pop(flow_id, None)
            if grouping is not None:
                self._flows[flow_id] = grouping
            if len(self._flows) > REMEMBERED:
                self._flows.popitem(last=False)


_known = _Known()


def known_groupings(flow_ids: Iterable[UUID]) -> dict[UUID, Grouping]:
    """How those of the flows group that are known to."""
    return _known.find(flow_ids)


def were_known(session: Session, opened: Iterable[Execution], assumed: dict[UUID, Grouping]) -> bool:
    """Whether the revisions that were opened group as was assumed; if not, that is known from now on."""
    revisions = {(execution.flow_id, execution.revision_number) for execution in opened}
    says = (
        {flow_id: Grouping.of(flow) for (flow_id, _), flow in frozen_flows(session, revisions).items()}
        if revisions
        else {}
    )
    wrong = {id_: grouping for id_, grouping in says.items() if grouping != assumed.get(id_)}
    for flow_id, grouping in wrong.items():
        _known.learn(flow_id, grouping)
    return not wrong
