"""What comes in: alerts, and those of a batch that are for one execution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

MAX_AT_ONCE = 100

DedupKey = tuple[UUID, str]
"""A flow's id, and what its alerts about one thing have in common."""


@dataclass(frozen=True)
class Alert:
    """What came in. `details` is plain JSON; `labels` are there to be grouped by, and not kept."""

    summary: str
    severity: str
    details: dict[str, Any]
    dedup_key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Storm:
    """What alerts of a group have in common: a key, what they say, and how long who opens takes others in."""

    key: str
    says: Mapping[str, str]
    window_seconds: int


@dataclass(frozen=True)
class StartRequest:
    """An alert, the flow that it is to run, and who raises it.

    What else its timeline is to say, `said`, is plain JSON.
    """

    flow_id: UUID
    alert: Alert
    said: Mapping[str, Any] = field(default_factory=dict)
    # Which integration's alert it is, if one's.
    integration_id: UUID | None = None
    actor_id: UUID | None = None


@dataclass
class Group:
    """The requests of a batch that are for one execution, in their order, and their places in the batch."""

    flow_id: UUID
    dedup_key: str | None
    requests: list[StartRequest] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    # The id of the execution, if they open one.
    new_id: UUID = field(default_factory=uuid4)
    # If its flow groups alerts, and it says something in all that they are grouped by.
    storm: Storm | None = None

    @property
    def key(self) -> DedupKey | None:
        return None if self.dedup_key is None else (self.flow_id, self.dedup_key)

    @property
    def alert(self) -> Alert:
        """The one that opens the execution, if none is open."""
        return self.requests[0].alert

    def add(self, place: int, request: StartRequest) -> None:
        self.requests.append(request)
        self.places.append(place)


def grouped(requests: Iterable[StartRequest]) -> list[Group]:
    """By flow and key, in the order of both; those without a key are each on their own."""
    groups: list[Group] = []
    keyed: dict[DedupKey, Group] = {}
    for place, request in enumerate(requests):
        new = Group(request.flow_id, request.alert.dedup_key)
        group = new if new.key is None else keyed.setdefault(new.key, new)
        if group is new:
            groups.append(group)
        group.add(place, request)
    return sorted(groups, key=lambda group: (group.flow_id, group.dedup_key or ""))
