"""The webhook of Prometheus Alertmanager, version 4, and that of Grafana, which has its shape and more.

An alert is known by its fingerprint, which is made of its labels, and by when it began: what fires again
after it was resolved is another alert; a notification that is repeated, or sent by two Alertmanagers, is not.
The body is no use for that; it holds whatever else is in the group by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from alertops.intake.event import Action, Event, InvalidEventError, fitting_key, instant, short
from alertops.intake.limits import MAX_EVENTS, MAX_LABELS
from alertops.intake.words import severity_of

# Of Grafana beside those of Alertmanager.
_LINKS = ("generatorURL", "dashboardURL", "panelURL", "silenceURL", "imageURL")
_VALUES = ("values", "valueString")
_STATES = {"firing": Action.TRIGGER, "resolved": Action.RESOLVE}


def read_notification(document: Any) -> list[Event]:
    """The events of the group's alerts, in their order; `InvalidEventError` with all that is wrong.

    Members that are not known are passed over: later versions may bring them.
    """
    alerts = document.get("alerts") if isinstance(document, dict) else None
    if not isinstance(alerts, list):
        raise InvalidEventError(("/alerts", "Must be a list of alerts."))
    if len(alerts) > MAX_EVENTS:
        raise InvalidEventError(
            ("/alerts", f"More than {MAX_EVENTS} alerts: set `max_alerts` of the webhook.")
        )
    if faults := [*islice(_faults(alerts), 50)]:
        raise InvalidEventError(*faults)
    return [_event(alert, document) for alert in alerts]


def _faults(alerts: list[Any]) -> Iterator[tuple[str, str]]:
    for place, alert in enumerate(alerts):
        here = f"/alerts/{place}"
        if not isinstance(alert, dict):
            yield here, "Must be an object."
            continue
        if alert.get("status") not in _STATES:
            yield f"{here}/status", "Must be one of: firing, resolved."
        if not (isinstance(alert.get("fingerprint"), str) and alert["fingerprint"]):
            yield f"{here}/fingerprint", "Must be a text."
        if instant(alert.get("startsAt")) is None:
            yield f"{here}/startsAt", "Must be a time, as in RFC 3339."
        for name in ("labels", "annotations"):
            yield from _text_faults(f"{here}/{name}", alert.get(name) or {})


def _text_faults(pointer: str, texts: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        yield pointer, "Must be an object of texts."
    elif len(texts) > MAX_LABELS:
        yield pointer, f"Has more than {MAX_LABELS} members."


def _event(alert: Mapping[str, Any], document: Mapping[str, Any]) -> Event:
    labels = alert.get("labels") or {}
    began = instant(alert["startsAt"])
    return Event(
        _STATES[alert["status"]],
        fitting_key(f"{alert['fingerprint']}@{alert['startsAt']}"),
        summary=_summary(labels, alert.get("annotations") or {}, alert["fingerprint"]),
        severity=severity_of(labels.get("severity")),
        labels=labels,
        details=_details(alert, document),
        occurred_at=began,
    )


def _summary(labels: Mapping[str, str], annotations: Mapping[str, str], fingerprint: str) -> str:
    """What says most of the alert: every alert says something."""
    texts = (
        annotations.get("summary"),
        annotations.get("description"),
        annotations.get("message"),
        labels.get("alertname"),
    )
    return short(next((text for text in texts if text and text.strip()), f"Alert {fingerprint}"))


def _details(alert: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to know of it, and where to look; what is empty is left out."""
    named = {name: alert.get(name) for name in ("labels", "annotations", "startsAt", *_LINKS, *_VALUES)}
    group = {name: document.get(name) for name in ("receiver", "externalURL")}
    return {name: value for name, value in {**named, **group}.items() if value not in (None, "", {}, [])}
