"""What is allowed in a flow, and hardly meant: warnings, each with the place that it is about.

None of them stops anybody. What depends on who is in the team today, `services/flows/lint_flow.py` adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alertops.escalation.backoff import pause_before
from alertops.escalation.flow import Flow, Node
from alertops.escalation.plan import Course, plan

SILENCE_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Warn:
    """A warning: a JSON pointer into the flow, what kind it is, and a sentence."""

    pointer: str
    code: str
    detail: str


def lint(flow: Flow) -> list[Warn]:
    """All that is odd about the flow by itself."""
    return [
        *_unreachable(flow),
        *_outlasting_retries(flow),
        *_early_silence(flow),
        *_always_the_same(flow),
        *_beyond_the_ack_timeout(flow),
    ]


def longest_retrying(node: Node) -> int:
    """Seconds from a node's first attempt to its last, if all fail at once and chance shortens nothing."""
    policy = node.retry
    pauses = sum(
        (pause_before(policy, attempt, 0) for attempt in range(2, policy.max_attempts + 1)), timedelta()
    )
    seconds = int(pauses.total_seconds())
    return seconds if policy.budget_seconds is None else min(seconds, policy.budget_seconds)


def _offsets(flow: Flow) -> list[tuple[int, int]]:
    """Of each step its node's position, and the seconds from the alert to its due time."""
    start = datetime(2000, 1, 1, tzinfo=UTC)
    steps = plan(flow, Course(start))
    return [(step.node_index, int((step.due_at - start).total_seconds())) for step in steps]


def _unreachable(flow: Flow) -> Iterator[Warn]:
    """What would fire only after the execution has been resolved by itself."""
    after = flow.resolve_after_seconds
    if after is None:
        return
    for index, seconds in _offsets(flow)[: len(flow.nodes)]:
        if seconds >= after:
            detail = f"It is due {seconds} s after the alert, which is resolved by itself after {after} s."
            yield Warn(f"/nodes/{index}", "unreachable", detail)


def _outlasting_retries(flow: Flow) -> Iterator[Warn]:
    for index, node in enumerate(flow.nodes):
        last = index + 1 == len(flow.nodes)
        if last and not flow.repeat:
            continue
        following = flow.nodes[0 if last else index + 1]
        lasts = longest_retrying(node)
        if lasts > following.delay_seconds:
            delay = following.delay_seconds
            detail = f"It is retried for up to {lasts} s, and the next node fires {delay} s after it."
            yield Warn(f"/nodes/{index}/retry", "retries_outlast_delay", detail)


def _early_silence(flow: Flow) -> Iterator[Warn]:
    seconds = _offsets(flow)[-1][1]
    if seconds < SILENCE_WITHIN.total_seconds():
        detail = f"The last node fires {seconds} s after the alert, and then nobody is told any more."
        yield Warn(f"/nodes/{len(flow.nodes) - 1}", "early_silence", detail)


def _always_the_same(flow: Flow) -> Iterator[Warn]:
    first = flow.nodes[0].recipient
    if len(flow.nodes) > 1 and all(node.recipient == first for node in flow.nodes):
        yield Warn(
            "/nodes", "always_the_same", "Every node tells the same recipient: nobody is escalated to."
        )


def _beyond_the_ack_timeout(flow: Flow) -> Iterator[Warn]:
    timeout, seconds = flow.ack_timeout_seconds, _offsets(flow)[-1][1]
    if timeout is not None and seconds > timeout:
        detail = (
            f"The delays add up to {seconds} s: whoever acknowledges is asked again after {timeout} s, "
            "before the whole flow would have run."
        )
        yield Warn("/ack_timeout_seconds", "shorter_than_flow", detail)
