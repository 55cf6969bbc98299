"""What was sent, as JSON, becomes events: as its kind of source is read."""

from __future__ import annotations

from typing import Any

from alertops.intake import cloudevents, generic, pagerduty, prometheus
from alertops.intake.event import Event, Source
from alertops.intake.mapping import Mapped


def read_events(kind: Source, document: Any, mapping: Mapped | None = None) -> list[Event]:
    """The events, in their order; `InvalidEventError` with all that is wrong with the document."""
    match kind:
        case Source.PAGERDUTY:
            return [pagerduty.read_event(document)]
        case Source.ALERTMANAGER | Source.GRAFANA:
            return prometheus.read_notification(document)
        case Source.GENERIC:
            return generic.read_events(document, generic.DEFAULT if mapping is None else mapping)
        case Source.CLOUDEVENTS:
            return cloudevents.read_structured(document, mapping)
