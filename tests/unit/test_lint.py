"""Each warning has a flow that deserves it, and a usual flow has none."""

from __future__ import annotations

from typing import Any

import pytest

from alertops.escalation.flow import Flow, Node, RetryPolicy
from alertops.escalation.lint import lint, longest_retrying

ONCE = RetryPolicy(max_attempts=1)


def node(name: str, delay: int, **more: Any) -> Node:
    recipient = {"type": "email", "email": f"{name}@example.org"}
    return Node(name, name, more.pop("recipient", recipient), delay, more.pop("retry", RetryPolicy()), **more)


def test_a_usual_flow_has_nothing_odd_about_it() -> None:
    assert lint(Flow((node("a", 0), node("b", 300), node("c", 600)))) == []


@pytest.mark.parametrize(
    ("flow", "code", "pointer"),
    [
        (Flow((node("a", 0), node("b", 600)), resolve_after_seconds=600), "unreachable", "/nodes/1"),
        (Flow((node("a", 0), node("b", 29))), "retries_outlast_delay", "/nodes/0/retry"),
        (Flow((node("a", 10),), repeat=9), "retries_outlast_delay", "/nodes/0/retry"),
        (Flow((node("a", 0, retry=ONCE), node("b", 59))), "early_silence", "/nodes/1"),
        (Flow((node("a", 0), node("b", 60, recipient=node("a", 0).recipient))), "always_the_same", "/nodes"),
        (
            Flow((node("a", 0), node("b", 600)), ack_timeout_seconds=300),
            "shorter_than_flow",
            "/ack_timeout_seconds",
        ),
    ],
)
def test_what_is_odd_is_told_with_its_place(flow: Flow, code: str, pointer: str) -> None:
    assert (code, pointer) in [(warning.code, warning.pointer) for warning in lint(flow)]


def test_a_budget_bounds_how_long_a_node_is_retried() -> None:
    policy = RetryPolicy(max_attempts=5, backoff_seconds=10, backoff_factor=2, max_backoff_seconds=40)
    assert longest_retrying(node("a", 0, retry=policy)) == 10 + 20 + 40 + 40
    bounded = RetryPolicy(max_attempts=5, backoff_seconds=10, budget_seconds=45)
    assert longest_retrying(node("a", 0, retry=bounded)) == 45
