"""The timeline of a flow is exact: anchored, complete, in order, and the same however it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.flow import Flow, Node
from alertops.escalation.plan import (
    Course,
    course_through,
    next_position,
    offset,
    plan,
    plan_step,
    positions,
    step_count,
)
from tests.unit.test_flow import flows

ANCHOR = datetime(2024, 2, 28, 23, 30, tzinfo=UTC)
COURSE = Course(ANCHOR)


@given(flows)
def test_each_step_is_due_at_the_anchor_plus_all_delays_up_to_it_through_all_rounds(flow: Flow) -> None:
    delays = [node.delay_seconds for _ in range(flow.repeat + 1) for node in flow.nodes]
    due = [ANCHOR + timedelta(seconds=total) for total in accumulate(delays)]
    assert [step.due_at for step in plan(flow, COURSE)] == due


@given(flows)
def test_no_node_is_skipped_or_repeated_within_a_round(flow: Flow) -> None:
    expected = [(round_, index) for round_ in range(flow.repeat + 1) for index in range(len(flow.nodes))]
    steps = list(plan(flow, COURSE))
    assert [(step.round, step.node_index) for step in steps] == expected
    assert [step.number for step in steps] == list(range(1, step_count(flow) + 1))


@given(flows)
def test_no_step_is_due_before_the_one_ahead_of_it_or_before_the_anchor(flow: Flow) -> None:
    times = [ANCHOR, *(step.due_at for step in plan(flow, COURSE))]
    assert all(earlier <= later for earlier, later in pairwise(times))


@given(flows, st.data())
def test_what_has_fired_is_left_out_and_the_rest_keeps_its_times(flow: Flow, data: st.DataObject) -> None:
    whole = list(plan(flow, COURSE))
    fired = frozenset(data.draw(st.sets(st.sampled_from([step.firing for step in whole]))))
    left = [(step.firing, step.due_at) for step in plan(flow, COURSE, fired, 7)]
    assert left == [(step.firing, step.due_at) for step in whole if step.firing not in fired]
    first = next_position(flow, fired)
    assert (first is None) == (not left)
    if first is not None:
        assert (plan_step(flow, COURSE, first, 7).firing, plan_step(flow, COURSE, first, 7).due_at) == left[0]


@given(flows, st.data(), st.integers(0, 10_000))
def test_a_course_through_a_place_has_it_due_then_and_nothing_before(
    flow: Flow, data: st.DataObject, seconds: int
) -> None:
    now = ANCHOR + timedelta(seconds=seconds)
    place = data.draw(st.sampled_from(list(positions(flow))))
    course = course_through(flow, place, now)
    assert plan_step(flow, course, place, 1).due_at == now
    assert all(step.due_at >= now for step in plan(flow, course))
    later = [step for step in plan(flow, course) if (step.round, step.node_index) > place]
    shift = now - (ANCHOR + offset(flow, place))
    assert [step.due_at for step in later] == [
        step.due_at + shift for step in plan(flow, COURSE) if (step.round, step.node_index) > place
    ]


@given(flows, st.timedeltas(timedelta(days=-365), timedelta(days=365)))
def test_moving_the_anchor_moves_every_step_by_exactly_as_much(flow: Flow, by: timedelta) -> None:
    moved = [step.due_at - by for step in plan(flow, Course(ANCHOR + by))]
    assert moved == [step.due_at for step in plan(flow, COURSE)]


def test_a_preview_reads_as_a_person_would_reckon_it() -> None:
    a, b = (
        Node(id=name, name=name, recipient={"type": "email", "email": name}, delay_seconds=delay)
        for name, delay in (("a", 0), ("b", 300))
    )
    shown = [(step.number, step.round, step.due_at) for step in plan(Flow((a, b), repeat=1), COURSE)]
    assert shown == [
        (1, 0, ANCHOR),
        (2, 0, ANCHOR + timedelta(minutes=5)),
        (3, 1, ANCHOR + timedelta(minutes=5)),
        (4, 1, ANCHOR + timedelta(minutes=10)),
    ]
