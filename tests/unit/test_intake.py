"""What monitoring systems send, read without any input or output."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertops.intake import cloudevents, generic
from alertops.intake.cloudevents import BATCH, STRUCTURED, read_request, read_structured
from alertops.intake.document import UnreadableError, read_document
from alertops.intake.event import Action, Event, InvalidEventError, Source, fitting_key, instant, short
from alertops.intake.mapping import faults_of
from alertops.intake.read import read_events
from alertops.intake.routing import Rule, route
from alertops.intake.words import action_of, severity_of

ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "severity": "page", "team": "db"},
    "annotations": {"summary": "Disk is full on db1"},
    "startsAt": "2024-02-29T12:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "5ef77f1f8a3ecfc1",
}
CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "/db1", "type": "disk.full"}
A, B, C = uuid4(), uuid4(), uuid4()


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "receiver": "us", "groupKey": "{}", "alerts": [*alerts]}


def only(kind: Source, document: Any, mapping: dict[str, str] | None = None) -> Event:
    [event] = read_events(kind, document, mapping)
    return event


def faults(kind: Source, document: Any, mapping: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(InvalidEventError) as refused:
        read_events(kind, document, mapping)
    return [pointer for pointer, _ in refused.value.faults]


def test_an_alert_is_known_by_its_fingerprint_and_when_it_began_and_by_nothing_else() -> None:
    first = only(Source.ALERTMANAGER, notification(ALERT))
    assert first.dedup_key == "5ef77f1f8a3ecfc1@2024-02-29T12:00:00.123456789Z"
    changed = {**ALERT, "annotations": {"summary": "91 %"}, "endsAt": "2024-02-29T12:05:00Z"}
    assert only(Source.ALERTMANAGER, notification(changed)).dedup_key == first.dedup_key
    again = {**ALERT, "startsAt": "2024-02-29T13:00:00Z"}
    assert only(Source.ALERTMANAGER, notification(again)).dedup_key != first.dedup_key


def test_what_is_told_of_an_alert() -> None:
    event = only(Source.ALERTMANAGER, notification(ALERT))
    assert (event.action, event.summary, event.severity) == (
        Action.TRIGGER,
        "Disk is full on db1",
        "critical",
    )
    assert event.labels == ALERT["labels"]
    assert event.details == {
        **{name: ALERT[name] for name in ("labels", "annotations", "startsAt", "generatorURL")},
        "receiver": "us",
    }
    assert event.occurred_at == datetime(2024, 2, 29, 12, 0, 0, 123456, UTC)
    bare = {name: ALERT[name] for name in ("status", "startsAt", "fingerprint")}
    event = only(Source.GRAFANA, {"alerts": [bare | {"status": "resolved"}]})
    assert (event.action, event.summary) == (Action.RESOLVE, "Alert 5ef77f1f8a3ecfc1")


def test_all_that_is_wrong_with_a_notification_is_told() -> None:
    for document in (None, [], {}, {"alerts": None}, {"alerts": {}}):
        assert faults(Source.ALERTMANAGER, document) == ["/alerts"]
    wrong = {"status": "pending", "fingerprint": "", "startsAt": "noon", "labels": {"a": 1}}
    assert faults(Source.ALERTMANAGER, notification(ALERT, wrong, "x")) == [  # type: ignore[arg-type]
        *(f"/alerts/1/{name}" for name in ("status", "fingerprint", "startsAt", "labels")),
        "/alerts/2",
    ]
    assert read_events(Source.ALERTMANAGER, notification()) == []


def test_a_generic_body_is_read_as_the_mapping_says() -> None:
    mapping = {
        "events": "items",
        "summary": "join(' ', [host.name, problem])",
        "severity": "level == `5` && 'critical' || 'info'",
        "dedup_key": "id",
        "action": "state",
        "labels": "host",
        "details": "@",
    }
    item = {"id": 7, "host": {"name": "db1", "rack": 4}, "problem": "down", "level": 5, "state": "PROBLEM"}
    body = {"items": [item, {**item, "level": 1, "state": "OK"}]}
    down, up = read_events(Source.GENERIC, body, mapping)
    assert (down.action, down.dedup_key, down.summary, down.severity) == (
        Action.TRIGGER,
        "7",
        "db1 down",
        "critical",
    )
    assert (down.labels, down.details) == ({"name": "db1", "rack": "4"}, item)
    assert (up.action, up.dedup_key) == (Action.RESOLVE, "7")


def test_without_a_mapping_our_own_words_are_taken() -> None:
    event = only(Source.GENERIC, {"summary": "x", "severity": "warn", "details": [1]})
    assert (event.severity, event.details, len(event.dedup_key)) == ("warning", {"details": [1]}, 32)
    for body in (None, [], "x", {}, {"summary": " "}, {"summary": {}}):
        assert faults(Source.GENERIC, body) == [""]
    assert faults(Source.GENERIC, {"summary": "x", "action": "paused"}) == [""]
    assert faults(Source.GENERIC, {"action": "resolve"}) == [""]
    assert faults(Source.GENERIC, {"x": 1}, {"events": "x", "summary": "y"}) == [""]
    assert faults(Source.GENERIC, {"x": [1, {"y": "z"}]}, {"events": "x", "summary": "y"}) == ["/0"]
    assert faults(Source.GENERIC, {"x": 1}, {"summary": "contains(x, 'y')"}) == [""]


@pytest.mark.parametrize(
    "expression",
    [
        "a.b[0].c",
        "alerts[?status=='firing'].labels.name | [0]",
        "join('/', [source, subject])",
        'not_null(a, b, `"none"`)',
        "state == 'ok' && 'resolve' || 'trigger'",
        "join(', ', values(tags))",
    ],
)
def test_an_expression_that_can_be_declared(expression: str) -> None:
    assert faults_of(expression) == []


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("a[", "JMESPath"),
        ("", "JMESPath"),
        ("nosuch(a)", "not one of"),
        ("map(&a, b)", "not one of"),
        ("[@,@][]|[@,@][]|[@,@][]", "more than one"),
        ("[a, b] | {c: @}", "more than one"),
        ("join(a, b)", "written out"),
        ("to_array(to_string(to_array(to_string(@))))", "not one of"),
        ("(" * 140 + "a" + ")" * 140, ""),
        ("!" * 290 + "a", ""),
        ("a" * 301, "Longer"),
        ("`1e999`", "stored"),
        ("`NaN`", "stored"),
        (r'`"\u0000"`', "stored"),
        (r'{"\ud800": a}', "stored"),
        ("to_number('nan')", "not one of"),
        ("`" + "1" * 290 + "`|" * 2, ""),
    ],
)
def test_an_expression_that_cannot(expression: str, why: str) -> None:
    found = faults_of(expression)
    assert why in " ".join(found)
    assert found or expression.startswith(("(", "`"))


@given(st.text(max_size=60))
def test_whatever_is_declared_has_an_answer(expression: str) -> None:
    if not faults_of(expression):
        with_it = {"summary": expression}
        with suppress(InvalidEventError):
            generic.read_one({"a": [1, {"b": "c"}]}, with_it)


def test_a_cloud_event_in_the_body_in_headers_and_in_a_batch_is_the_same_event() -> None:
    data = {"summary": "Disk is full", "severity": "warning", "action": "trigger"}
    whole = {**CLOUD_EVENT, "subject": "sda", "data": data}
    [structured] = read_request(json.dumps(whole).encode(), f"{STRUCTURED}; charset=utf-8", {}, None)
    [batched] = read_request(json.dumps([whole]).encode(), BATCH, {}, None)
    headers = {f"Ce-{name}": value for name, value in whole.items() if isinstance(value, str)}
    [binary] = read_request(json.dumps(data).encode(), "application/json", headers, None)
    packed = {**whole, "data_base64": b64encode(json.dumps(data).encode()).decode()}
    del packed["data"]
    [unpacked] = read_structured(packed, None)
    assert structured == batched == binary == unpacked
    assert (structured.dedup_key, structured.summary, structured.severity) == (
        "/db1/sda",
        "Disk is full",
        "warning",
    )
    assert structured.labels["type"] == "disk.full"


def test_a_cloud_event_says_of_itself_what_its_data_do_not() -> None:
    [event] = read_structured(CLOUD_EVENT, None)
    assert (event.dedup_key, event.summary, event.severity) == ("/db1#1", "disk.full", "critical")
    [event] = read_structured({**CLOUD_EVENT, "data": {"title": "Full"}}, {"summary": "data.title"})
    assert (event.dedup_key, event.summary) == ("/db1#1", "Full")
    [event] = read_request(
        b"disk is full", "text/plain", {f"ce-{n}": v for n, v in CLOUD_EVENT.items()}, None
    )
    assert event.details["data"] == "disk is full"
    headers = {**{f"ce-{n}": v for n, v in CLOUD_EVENT.items()}, "ce-subject": "Stra%C3%9Fe%00"}
    [event] = read_request(b"", "", headers, None)
    assert event.dedup_key == "/db1/Straße\ufffd"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"source": 5}, "/source"),
        ({"type": None}, "/type"),
        ({"Upper": "x"}, ""),
        ({"data": 1, "data_base64": "MQ=="}, "/data_base64"),
        ({"data_base64": "%%"}, "/data_base64"),
        ({"data_base64": 5}, "/data_base64"),
        ({"data_base64": b64encode(b"{").decode()}, "/data_base64"),
    ],
)
def test_what_is_no_cloud_event_is_refused(change: dict[str, Any], pointer: str) -> None:
    assert faults(Source.CLOUDEVENTS, {**CLOUD_EVENT, **change}) == [pointer]
    assert faults(Source.CLOUDEVENTS, [{**CLOUD_EVENT}, {**CLOUD_EVENT, **change}]) == [f"/1{pointer}"]


def test_a_request_without_a_cloud_event_is_refused() -> None:
    with pytest.raises(InvalidEventError, match="Not a CloudEvent"):
        read_request(b"{}", "application/json", {"Host": "x"}, None)
    many = {f"ce-a{number}": "x" for number in range(cloudevents.MAX_HEADER_ATTRIBUTES + 1)}
    with pytest.raises(InvalidEventError, match="attributes"):
        read_request(b"{}", "application/json", many, None)


def test_the_first_rule_that_fits_takes_the_event() -> None:
    rules = [
        Rule({"severity": "critical", "labels.team": {"one_of": ["db", "web"]}}, A),
        Rule({"summary": {"like": "*disk*"}}, B),
        Rule({"details.a.b": "1"}, C),
        Rule({"details.flag": "true"}, A),
        Rule({"labels.host": {"like": "*"}}, B),
    ]
    default = uuid4()

    def taken(**event: Any) -> tuple[Any, Any]:
        found = route(rules, default, Event(Action.TRIGGER, "key", **event))
        return found.flow_id, found.rule

    assert taken(labels={"team": "db"}) == (A, 0)
    assert taken(labels={"team": "db"}, severity="info") == (default, None)
    assert taken(labels={"team": "x"}, summary="a disk b") == (B, 1)
    assert taken(summary="a Disk b") == (default, None)
    assert taken(details={"a": {"b": 1}}) == (C, 2)
    assert taken(details={"a": [{"b": 1}]}) == (default, None)
    assert taken(details={"flag": True}) == (A, 3)
    assert taken(labels={"host": ""}) == (B, 4)
    event = Event(Action.TRIGGER, "key", summary="disk", labels={"team": "db"})
    assert route(rules, default, event, {A}).rule == 1
    assert route(rules, default, event, {A, B}).rule is None


def test_words_of_others() -> None:
    assert [severity_of(word) for word in ("WARN", " page ", "P2", "none", "odd", None, 5)] == [
        "warning",
        "critical",
        "error",
        "info",
        "critical",
        "critical",
        "critical",
    ]
    assert [action_of(word) for word in ("FIRING", "ok", "Ack", "odd", None)] == [
        Action.TRIGGER,
        Action.RESOLVE,
        Action.ACKNOWLEDGE,
        None,
        None,
    ]


@given(st.binary(max_size=200))
def test_bytes_are_a_document_or_are_told_not_to_be(raw: bytes) -> None:
    with suppress(UnreadableError):
        json.dumps(read_document(raw), allow_nan=False)


def test_what_cannot_be_stored_is_replaced() -> None:
    assert read_document(rb'{"a\u0000": ["\ud800x", 1, null]}') == {"a\ufffd": ["\ufffdx", 1, None]}


def test_long_texts_and_keys_are_cut_and_keys_stay_different() -> None:
    assert short("x" * 1024) == "x" * 1024
    assert short("x" * 1025) == "x" * 1023 + "…"
    keys = {fitting_key("x" * 300 + str(end)) for end in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {255}
    assert fitting_key("x" * 255) == "x" * 255


def test_a_time_without_a_zone_is_none() -> None:
    assert instant("2024-02-29T12:00:00") is instant("x") is instant(5) is instant("1" * 50) is None
