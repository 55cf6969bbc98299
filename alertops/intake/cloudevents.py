"""CloudEvents 1.0 over HTTP: in the body (structured, or a batch of them), or in headers (binary).

What an event says of an alert is read as a mapping says, over all of the event. What the mapping leaves open,
or all if there is none, is looked for in our words in its `data`, and then in its attributes: an event with a
subject is about that subject of its source, and one without is about itself.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from alertops.intake.document import UnreadableError, read_document
from alertops.intake.event import Event, InvalidEventError
from alertops.intake.generic import read_one
from alertops.intake.limits import MAX_EVENTS
from alertops.intake.mapping import Mapped

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
HEADER = "ce-"
REQUIRED = ("id", "source", "type")
MAX_HEADER_ATTRIBUTES = 100

_ATTRIBUTE = re.compile("[a-z0-9]{1,64}", re.ASCII)
_JSON = re.compile(r"[^;]*[/+]json\s*(;.*)?", re.I)


def read_request(
    raw: bytes, content_type: str, headers: Mapping[str, str], mapping: Mapped | None
) -> list[Event]:
    """The events of a request; `UnreadableError` or `InvalidEventError` when it holds none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in (STRUCTURED, BATCH):
        return read_structured(read_document(raw), mapping)
    return _read_all([("", _from_headers(raw, content_type, headers))], mapping)


def read_structured(document: Any, mapping: Mapped | None) -> list[Event]:
    """The event that this is, or, if it is a list, the events in it."""
    found = [*_batch(document)] if isinstance(document, list) else [("", document)]
    return _read_all(found, mapping)


def _read_all(found: list[tuple[str, Any]], mapping: Mapped | None) -> list[Event]:
    events: list[Event] = []
    faults: list[tuple[str, str]] = []
    for pointer, event in found:
        try:
            events.append(_read(event, mapping or {}))
        except InvalidEventError as error:
            faults += [(pointer + place, sentence) for place, sentence in error.faults]
    if faults:
        raise InvalidEventError(*faults[:50])
    return events


def _batch(document: list[Any]) -> Iterator[tuple[str, Any]]:
    if len(document) > MAX_EVENTS:
        raise InvalidEventError(("", f"More than {MAX_EVENTS} events: send them in several batches."))
    return ((f"/{place}", event) for place, event in enumerate(document))


def _from_headers(raw: bytes, content_type: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """An event whose attributes are headers, and whose data is the body."""
    named = {name.lower().removeprefix(HEADER): text for name, text in headers.items() if _is_ours(name)}
    if not named:
        kinds = f"{STRUCTURED}, {BATCH}"
        raise InvalidEventError(("", f"Not a CloudEvent: neither headers that begin with ce-, nor {kinds}."))
    if len(named) > MAX_HEADER_ATTRIBUTES:
        raise InvalidEventError(("", f"More than {MAX_HEADER_ATTRIBUTES} attributes."))
    event: dict[str, Any] = {name: _decoded(text) for name, text in named.items()}
    if raw:
        event["data"] = _data(raw, content_type)
    return event


def _is_ours(name: str) -> bool:
    return name.lower().startswith(HEADER)


def _decoded(text: str) -> str:
    """What a header says: what is not printable ASCII comes percent-encoded (HTTP binding, 3.1.3.2)."""
    return unquote(text, errors="replace").replace("\x00", "\ufffd")


def _data(raw: bytes, content_type: str) -> Any:
    if not content_type or _JSON.fullmatch(content_type):
        return read_document(raw)
    return raw.decode(errors="replace").replace("\x00", "\ufffd")


def _read(event: Any, mapping: Mapped) -> Event:
    if faults := [*_faults(event)]:
        raise InvalidEventError(*faults)
    if "data_base64" in event:
        event = _with_data(event)
    return read_one(event, mapping, _own_words(event))


def _faults(event: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(event, dict):
        yield "", "Must be an object."
        return
    if event.get("specversion") != "1.0":
        yield "/specversion", "Must be 1.0."
    for name in REQUIRED:
        value = event.get(name)
        if not (isinstance(value, str) and value):
            yield f"/{name}", "Must be a text."
    for name in event:
        if name not in ("data", "data_base64") and not _ATTRIBUTE.fullmatch(name):
            yield "", "Names of attributes are lower-case letters and digits."
            return
    if "data" in event and "data_base64" in event:
        yield "/data_base64", "Must not come beside `data`."


def _with_data(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its data as what they are, and not as they were packed."""
    try:
        packed = b64decode(event["data_base64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise InvalidEventError(("/data_base64", "Must be a text in base64.")) from error
    rest = {name: value for name, value in event.items() if name != "data_base64"}
    try:
        return {**rest, "data": _data(packed, str(event.get("datacontenttype") or ""))}
    except UnreadableError as error:
        raise InvalidEventError(("/data_base64", str(error))) from error


def _own_words(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    said = data if isinstance(data, dict) else {}
    source, subject = event["source"], event.get("subject")
    attributes = {name: value for name, value in event.items() if name not in ("data", "id", "time")}
    labels = said.get("labels")
    return {
        "summary": said.get("summary") or subject or event["type"],
        "severity": said.get("severity"),
        "dedup_key": said.get("dedup_key")
        or (f"{source}/{subject}" if subject else f"{source}#{event['id']}"),
        "action": said.get("action"),
        "labels": {**attributes, **(labels if isinstance(labels, dict) else {})},
        "details": event,
    }
