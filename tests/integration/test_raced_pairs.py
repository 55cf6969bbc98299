"""A thousand raced pairs of acknowledge and claim; `make races` races a hundred thousand.

And the control: the same harness, given a claim that joins the execution instead of locking it first,
finds what it is there to find.
"""

from __future__ import annotations

from tests.races.judge import Broken, Winner
from tests.races.pairs import Kind
from tests.races.run import run

PAIRS = 1_000
CONTROL_PAIRS = 100


def test_no_claim_gets_past_an_acknowledge_whoever_comes_first(database_url: str) -> None:
    tally = run(database_url, PAIRS, seed=1, processes=2)
    assert tally.broken == {}, tally.examples
    assert tally.pairs == PAIRS
    # It is a race only if each of them wins some of it, of every kind, and in most pairs while the other
    # was at it: a pair whose transactions came one after the other would show nothing.
    # Of a claimer that goes on to mark, the mark is raced: an acknowledge seldom beats its claim.
    for kind in set(Kind) - {Kind.CLAIM_AND_MARK}:
        assert tally.won_by(Winner.ACKNOWLEDGE, kind), kind
        assert tally.won_by(Winner.CLAIM, kind) + tally.won_by(Winner.MARK, kind), kind
    assert tally.won_by(Winner.MARK)
    assert tally.won_by(Winner.CLAIM, Kind.CLAIM_AND_MARK)
    assert tally.overlapped.total() > PAIRS / 2


def test_a_claim_that_joins_the_execution_instead_of_locking_it_is_caught(
    database_url: str,
) -> None:
    tally = run(database_url, CONTROL_PAIRS, seed=1, processes=1, control=True)
    assert tally.broken[Broken.UNLISTED] > 0
