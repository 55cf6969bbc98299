"""A diff tells all that is different, and no more."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.diff import Change, ChangedNode, Diff, MovedNode, PlacedNode, diff
from alertops.escalation.flow import Flow, RetryPolicy
from tests.unit.test_edit import a_flow, a_node, names
from tests.unit.test_flow import flows

orders = st.lists(st.sampled_from("abcdefg"), min_size=1, unique=True).map("".join)
NOTHING = Diff((), (), (), (), ())


def patched(before: str, told: Diff) -> str:
    """The nodes after, from the nodes before and what the diff says of positions."""
    placed = {each.position: each.node.id for each in told.added}
    placed |= {each.after: each.id for each in told.moved}
    gone = {each.node.id for each in told.removed} | {each.id for each in told.moved}
    kept = iter([id_ for id_ in before if id_ not in gone])
    count = len(before) - len(told.removed) + len(told.added)
    return "".join(placed[position] if position in placed else next(kept) for position in range(count))


@given(orders, orders)
def test_what_a_diff_tells_leads_from_one_order_to_the_other(before: str, after: str) -> None:
    told = diff(a_flow(before), a_flow(after))
    assert patched(before, told) == after
    assert {each.node.id for each in told.added} == set(after) - set(before)
    assert {each.node.id for each in told.removed} == set(before) - set(after)
    assert [before[each.before] for each in told.moved] == [each.id for each in told.moved]
    assert told.changed == ()


@given(orders, orders)
def test_as_few_nodes_as_possible_have_moved(before: str, after: str) -> None:
    common = [id_ for id_ in after if id_ in before]
    kept = len(common) - len(diff(a_flow(before), a_flow(after)).moved)
    for larger in combinations(common, kept + 1):
        assert sorted(larger, key=before.index) != list(larger)


@given(flows, flows)
def test_a_diff_is_empty_only_between_equals(one: Flow, other: Flow) -> None:
    assert diff(one, one) == NOTHING
    assert (diff(one, other) == NOTHING) == (one == other)


@given(flows, st.data())
def test_a_changed_node_is_told_by_what_changed_in_it(flow: Flow, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(flow.nodes) - 1))
    node = flow.nodes[place]
    later = replace(node, delay_seconds=node.delay_seconds + 1)
    after = replace(flow, nodes=(*flow.nodes[:place], later, *flow.nodes[place + 1 :]))
    change = Change("/delay_seconds", node.delay_seconds, node.delay_seconds + 1)
    assert diff(flow, after) == replace(NOTHING, changed=(ChangedNode(node.id, node.name, (change,)),))


def test_a_diff_as_a_person_would_tell_it() -> None:
    before = replace(a_flow("abcd"), name="Nights", repeat=1)
    mailed = {"type": "email", "email": "x@example.com"}
    b = replace(a_node("b"), name="B", recipient=mailed, retry=RetryPolicy(max_attempts=9))
    after = Flow((a_node("d"), a_node("a"), a_node("n"), b), repeat=1, name="Days", description="of rest")
    told = diff(before, after)
    assert names(after) == "danb"
    assert told.changes == (Change("/name", "Nights", "Days"), Change("/description", "", "of rest"))
    assert told.removed == (PlacedNode(2, a_node("c")),)
    assert told.added == (PlacedNode(2, a_node("n")),)
    assert told.moved == (MovedNode("d", "d", 3, 0),)
    changes = (
        Change("/name", "b", "B"),
        Change("/recipient", a_node("b").recipient, mailed),
        Change("/retry/max_attempts", 3, 9),
    )
    assert told.changed == (ChangedNode("b", "B", changes),)


def test_a_node_that_is_pushed_down_has_not_moved() -> None:
    told = diff(a_flow("abc"), a_flow("xabc"))
    assert (told.added, told.moved) == ((PlacedNode(0, a_node("x")),), ())
