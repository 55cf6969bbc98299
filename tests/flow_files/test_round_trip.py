"""A flow that is written to a file, and read from it, is the same flow."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from alertops.escalation.diff import diff
from alertops.flow_files.definition import content_of, definition_of, flow_of
from alertops.flow_files.read import read_flow
from alertops.flow_files.write import write_flow
from tests.flow_files.flows import ADDRESSES, ANN, USER_IDS, flows


@given(flows())
def test_export_and_import_change_nothing(flow: dict[str, Any]) -> None:
    file = read_flow(write_flow(content_of(flow, ADDRESSES)), "flow.yaml")
    again = flow_of(definition_of(file, USER_IDS), flow)
    assert again == flow_of(flow)
    assert not any(vars(diff(flow_of(flow), again)).values())


@given(flows())
def test_what_is_as_usual_is_not_said(flow: dict[str, Any]) -> None:
    content = content_of(flow, ADDRESSES)
    assert "revision" not in content
    assert ("repeat" in content) == (flow["repeat"] != 0)
    assert all("id" not in node for node in content["nodes"])


def test_a_user_is_named_by_an_address_in_any_case_of_letters() -> None:
    text = "{name: x, nodes: [{name: a, delay: 0, recipient: {type: user, email: ANN@EXAMPLE.org}}]}"
    definition = definition_of(read_flow(text, "x.yaml"), USER_IDS)
    assert definition["nodes"][0]["recipient"] == {"type": "user", "user_id": ANN}


def test_what_yaml_takes_for_the_end_of_a_line_stays_what_it_is() -> None:
    for odd in ("a\x85b", "a\u2028b", "a\u2029", "\rb"):
        node = {"name": odd, "delay": 0, "recipient": {"type": "email", "email": "a@example.org"}}
        written = write_flow({"name": odd, "nodes": [node]})
        read = definition_of(read_flow(written, "x.yaml"), USER_IDS)
        assert (read["name"], read["nodes"][0]["name"]) == (odd, odd)
