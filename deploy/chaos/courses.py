"""What a timeline says of an execution's course, as far as clients can claim something about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from alertops.models import Execution
from alertops.verify.told import Told

NEVER = datetime.max.replace(tzinfo=UTC)
NOWHERE = UUID(int=0)
OVER = ("exhausted", "resolved", "cancelled")


@dataclass(frozen=True)
class Moved:
    """What it ran from a time on, and with which words that was asked for; no revision is a person."""

    at: datetime
    flow_id: UUID
    revision: int | None
    words: str | None = None

    def runs_the_same_as(self, other: Moved) -> bool:
        return (self.flow_id, self.revision) == (other.flow_id, other.revision)


def begun_with(execution: Execution | None, told: Told) -> Moved:
    """What it ran at its beginning; what was not told is as the row has it."""
    if execution is None:
        return Moved(NEVER, NOWHERE, None)
    for event, at, detail in told.of_course:
        if event == "started":
            flow_id = UUID(detail.get("flow_id") or str(execution.flow_id))
            return Moved(at, flow_id, detail.get("revision") or execution.revision_number)
    return Moved(execution.created_at, execution.flow_id, execution.revision_number)


def moves(told: Told) -> Iterator[Moved]:
    """Each change of its course, in order. Its words may be those of the transition it came with."""
    for place, (event, at, detail) in enumerate(told.of_course):
        if event == "course_changed":
            following = told.of_course[place + 1][2] if place + 1 < len(told.of_course) else {}
            words = detail.get("note") or following.get("note")
            yield Moved(at, UUID(detail["flow_id"]), detail["revision"], words)


def times_told(told: Told, words: str) -> list[datetime]:
    """When the operation that said these words was done."""
    return [at for _, at, detail in told.of_course if detail.get("note") == words]


def goes_on_with(told: Told, words: str, wanted: Mapping[str, Any]) -> bool:
    """Whether the operation that said these words led to that, whenever it was done."""
    details = [detail for _, _, detail in told.of_course if detail.get("note") == words]
    return all(detail.get(name) == value for detail in details for name, value in wanted.items())


def silent_until(told: Told, since: datetime) -> datetime:
    """When it came back after that time."""
    return next((at for event, at, _ in told.of_course if event == "resumed" and at > since), NEVER)


def is_open(told: Told, moment: datetime) -> bool:
    """Whether an alert with its key would have been the same one then: it is not over, and has not moved."""
    over, began_in, runs_in = False, None, None
    for event, at, detail in told.of_course:
        if at > moment:
            break
        over = event in OVER
        runs_in = detail.get("flow_id", runs_in)
        began_in = began_in or runs_in
    return not over and runs_in == began_in
