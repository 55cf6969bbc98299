"""The timeline of a flow is exact: anchored, complete, in order, and the same however it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.flow import Flow, Node
from alertops.escalation.plan import plan, planned_step, step_count
from tests.unit.test_flow import flows

ANCHOR = datetime(2024, 2, 28, 23, 30, tzinfo=UTC)


@given(flows)
def test_each_step_is_due_at_the_anchor_plus_all_delays_up_to_it_through_all_rounds(flow: Flow) -> None:
    delays = [node.delay_seconds for _ in range(flow.repeat + 1) for node in flow.nodes]
    due = [ANCHOR + timedelta(seconds=total) for total in accumulate(delays)]
    assert [step.due_at for step in plan(flow, ANCHOR)] == due


@given(flows)
def test_no_node_is_skipped_or_repeated_within_a_round(flow: Flow) -> None:
    expected = [(round_, index) for round_ in range(flow.repeat + 1) for index in range(len(flow.nodes))]
    steps = list(plan(flow, ANCHOR))
    assert [(step.round, step.node_index) for step in steps] == expected
    assert [step.number for step in steps] == list(range(1, step_count(flow) + 1))


@given(flows)
def test_no_step_is_due_before_the_one_ahead_of_it_or_before_the_anchor(flow: Flow) -> None:
    times = [ANCHOR, *(step.due_at for step in plan(flow, ANCHOR))]
    assert all(earlier <= later for earlier, later in pairwise(times))


@given(flows)
def test_asking_for_one_step_gives_the_same_as_the_whole_plan_and_nothing_beyond_its_end(flow: Flow) -> None:
    whole = list(plan(flow, ANCHOR))
    assert [planned_step(flow, ANCHOR, n) for n in range(1, len(whole) + 1)] == whole
    assert planned_step(flow, ANCHOR, len(whole) + 1) is None
    assert planned_step(flow, ANCHOR, len(whole) + 100) is None


@given(flows, st.timedeltas(timedelta(days=-365), timedelta(days=365)))
def test_moving_the_anchor_moves_every_step_by_exactly_as_much(flow: Flow, by: timedelta) -> None:
    moved = [step.due_at - by for step in plan(flow, ANCHOR + by)]
    assert moved == [step.due_at for step in plan(flow, ANCHOR)]


def test_a_preview_reads_as_a_person_would_reckon_it() -> None:
    a, b = (
        Node(id=name, name=name, recipient={"type": "email", "email": name}, delay_seconds=delay)
        for name, delay in (("a", 0), ("b", 300))
    )
    shown = [(step.number, step.round, step.due_at) for step in plan(Flow((a, b), repeat=1), ANCHOR)]
    assert shown == [
        (1, 0, ANCHOR),
        (2, 0, ANCHOR + timedelta(minutes=5)),
        (3, 1, ANCHOR + timedelta(minutes=5)),
        (4, 1, ANCHOR + timedelta(minutes=10)),
    ]
