"""What the timeline says of alerts that an execution takes in: the first few, and then how many there are.

A storm of ten thousand is a dozen lines more than one of ten: each time that the number of alerts has
doubled, it is told. Each alert is in the list of the execution (`grouped_alerts.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from alertops.models import Execution
from alertops.services.alerts import StartRequest
from alertops.services.begin_executions import Entry

# The one that opened it is the first.
TOLD_SINGLY = 10


def storm_entries(execution: Execution, joined: Sequence[StartRequest]) -> Iterator[Entry]:
    """What is to be told of the alerts that it has just taken in, and has counted already."""
    before = execution.alert_count - len(joined)
    for number, request in enumerate(joined, start=before + 1):
        if number <= TOLD_SINGLY:
            yield Entry(execution.id, "alert_joined", request.actor_id, _said(request))
    actor_id: UUID | None = joined[-1].actor_id if joined else None
    if execution.alert_count > TOLD_SINGLY and _doubled(before, execution.alert_count):
        yield Entry(execution.id, "alerts_joined", actor_id, {"alert_count": execution.alert_count})


def _said(request: StartRequest) -> dict[str, object]:
    alert = request.alert
    told = {"summary": alert.summary, "severity": alert.severity, "dedup_key": alert.dedup_key}
    return {**told, **request.said}


def _doubled(before: int, after: int) -> bool:
    """Whether a power of two lies between them."""
    return before.bit_length() < after.bit_length()
