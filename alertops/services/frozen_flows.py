"""Revisions as parsed flows, kept by the process: a revision is never changed, so none of them goes stale.

Whoever asks has read the number in a row that they may see; nothing is looked up here by what a caller says.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Set
from threading import Lock
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from alertops.escalation.flow import Flow, flow_from_json
from alertops.models import FlowRevision

RevisionKey = tuple[UUID, int]
"""The flow's id, and the number of its revision."""

# A flow has at most 50 nodes, about 1 kB each once they are parsed.
MAX_KEPT = 500


class _Kept:
    """The flows that were used last; shared by threads."""

    def __init__(self) -> None:
        self._flows: OrderedDict[RevisionKey, Flow] = OrderedDict()
        self._lock = Lock()

    def find(self, wanted: Set[RevisionKey]) -> dict[RevisionKey, Flow]:
        with self._lock:
            found = {key: self._flows[key] for key in wanted if key in self._flows}
            for key in found:
                self._flows.move_to_end(key)
        return found

    def keep(self, flows: dict[RevisionKey, Flow]) -> None:
        with self._lock:
            self._flows |= flows
            while len(self._flows) > MAX_KEPT:
                self._flows.popitem(last=False)


_kept = _Kept()


def frozen_flows(session: Session, wanted: Set[RevisionKey]) -> dict[RevisionKey, Flow]:
    """The flow of each of these revisions, which must have been committed."""
    found = _kept.find(wanted)
    missing = wanted - found.keys()
    if missing:
        read = _read(session, missing)
        _kept.keep(read)
        found |= read
    return found


def read_flows(session: Session, flow_id: UUID, numbers: Iterable[int]) -> dict[int, Flow]:
    """What these revisions of one flow say, by their number; one that there is not is left out."""
    found = frozen_flows(session, {(flow_id, number) for number in numbers})
    return {number: flow for (_, number), flow in found.items()}


def _read(session: Session, keys: Set[RevisionKey]) -> dict[RevisionKey, Flow]:
    key = (FlowRevision.flow_id, FlowRevision.number)
    rows = session.execute(select(*key, FlowRevision.definition).where(tuple_(*key).in_(keys)))
    return {(flow_id, number): flow_from_json(definition) for flow_id, number, definition in rows}
