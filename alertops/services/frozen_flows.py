"""What revisions say, remembered: a revision never changes, and each step of each execution asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from alertops.escalation.flow import Flow, flow_from_json
from alertops.models import FlowRevision

# The largest flow that there can be takes some 50 kB here, a usual one 3.
REMEMBERED = 256

_READ = select(FlowRevision.number, FlowRevision.definition).where(
    FlowRevision.flow_id == bindparam("flow"), FlowRevision.number.in_(bindparam("numbers", expanding=True))
)


class _Memory:
    """Of the last flows that were asked for the first time; shared by threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._flows: dict[tuple[UUID, int], Flow] = {}

    def get(self, flow_id: UUID, number: int) -> Flow | None:
        return self._flows.get((flow_id, number))

    def put(self, flow_id: UUID, number: int, flow: Flow) -> None:
        with self._lock:
            if len(self._flows) >= REMEMBERED:
                # The oldest: dictionaries keep the order in which they were filled.
                del self._flows[next(iter(self._flows))]
            self._flows[flow_id, number] = flow


_memory = _Memory()


def read_flows(session: Session, flow_id: UUID, numbers: Iterable[int]) -> dict[int, Flow]:
    """What these revisions of the flow say; one that there is not is left out."""
    found = {number: flow for number in numbers if (flow := _memory.get(flow_id, number))}
    missing = [number for number in numbers if number not in found]
    if missing:
        for number, definition in session.execute(_READ, {"flow": flow_id, "numbers": missing}):
            found[number] = flow_from_json(definition)
            _memory.put(flow_id, number, found[number])
    return found
