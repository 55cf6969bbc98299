"""A flow survives being stored: what a revision freezes is what the engine reads. Also: made-up flows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.flow import (
    MAX_ATTEMPTS,
    MAX_BACKOFF_FACTOR,
    MAX_BACKOFF_SECONDS,
    MAX_BUDGET_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_GROUP_WINDOW_SECONDS,
    MAX_TIMEOUT_SECONDS,
    MIN_ACK_TIMEOUT_SECONDS,
    MIN_GROUP_WINDOW_SECONDS,
    MIN_RESOLVE_AFTER_SECONDS,
    Flow,
    Node,
    OnFailure,
    OnUnknown,
    RetryPolicy,
    flow_from_json,
    flow_to_json,
)

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, MAX_ATTEMPTS),
    backoff_seconds=st.integers(1, MAX_BACKOFF_SECONDS),
    backoff_factor=st.floats(1, MAX_BACKOFF_FACTOR),
    max_backoff_seconds=st.integers(1, MAX_BACKOFF_SECONDS),
    jitter=st.floats(0, 1),
    budget_seconds=st.none() | st.integers(1, MAX_BUDGET_SECONDS),
)
singles = st.one_of(
    st.builds(lambda name: {"type": "email", "email": name + "@example.com"}, st.text(max_size=8)),
    st.builds(lambda user: {"type": "user", "user_id": str(user)}, st.uuids()),
    st.sampled_from([{"type": "role", "role": "owner"}, {"type": "webhook", "url": "https://example.com/x"}]),
)
groups = st.lists(singles, min_size=2, max_size=3).map(lambda some: {"type": "group", "recipients": some})
recipients = singles | groups
nodes = st.builds(
    Node,
    id=st.uuids().map(str),
    name=st.text(max_size=20),
    recipient=recipients,
    delay_seconds=st.integers(0, MAX_DELAY_SECONDS),
    retry=policies,
    on_failure=st.sampled_from(OnFailure),
    on_unknown=st.sampled_from(OnUnknown),
)
flows = st.builds(
    Flow,
    nodes=st.lists(nodes, min_size=1, max_size=5).map(tuple),
    repeat=st.integers(0, 3),
    name=st.text(max_size=20),
    description=st.text(max_size=20),
    ack_timeout_seconds=st.none() | st.integers(MIN_ACK_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
    resolve_after_seconds=st.none() | st.integers(MIN_RESOLVE_AFTER_SECONDS, MAX_TIMEOUT_SECONDS),
    group_by=st.lists(st.sampled_from(["severity", "labels.team", "details.host"]), unique=True).map(tuple),
    group_window_seconds=st.integers(MIN_GROUP_WINDOW_SECONDS, MAX_GROUP_WINDOW_SECONDS),
)


@given(flows)
def test_a_flow_is_read_back_from_stored_json_exactly_as_it_was_written(flow: Flow) -> None:
    assert flow_from_json(json.loads(json.dumps(flow_to_json(flow)))) == flow


@given(flows)
def test_writing_a_flow_again_after_reading_it_gives_the_same_json(flow: Flow) -> None:
    written = flow_to_json(flow)
    assert flow_to_json(flow_from_json(written)) == written


def test_changing_the_written_json_does_not_reach_into_the_flow() -> None:
    node = Node(id="1", name="a", recipient={"type": "email", "email": "a@example.com"}, delay_seconds=0)
    written = flow_to_json(Flow((node,)))
    written["nodes"][0]["recipient"]["email"] = "stranger@example.com"
    written["nodes"][0]["retry"]["max_attempts"] = 99
    assert node.recipient["email"] == "a@example.com"
    assert node.retry == RetryPolicy()


@pytest.mark.parametrize(("nodes", "repeat"), [((), 0), ((None,), -1)])
def test_a_flow_that_tells_nobody_or_repeats_less_than_never_is_refused(
    nodes: tuple[Node, ...], repeat: int
) -> None:
    with pytest.raises(ValueError, match=r"at least one node|cannot be negative"):
        Flow(nodes, repeat)


def test_a_revision_of_the_first_release_which_froze_no_names_can_be_run() -> None:
    written = flow_to_json(Flow((Node("1", "a", {"type": "email", "email": "a@example.com"}, 0),), 2))
    del written["name"], written["description"]
    assert flow_from_json(written) == Flow(
        (Node("1", "a", {"type": "email", "email": "a@example.com"}, 0),), 2
    )
