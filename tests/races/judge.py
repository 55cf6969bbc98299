"""Which histories a raced pair may have had, told from what each racer saw and from the rows.

::

    acknowledge first ── no claim, and no mark ··· the attempt is cancelled under the number that it had
    claim first ──────── one claim ··············· the acknowledge lists it, under its new number
         └─ mark in between ······················ and lists it as marked
         └─ mark after the acknowledge ··········· the mark is refused

Each pair has had exactly one of these, or a promise was broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from alertops.escalation.decision import Reason
from alertops.services.send_attempt import _Mark
from tests.races.pairs import Kind, Left, Pair
from tests.races.racers import Acknowledged, Claimed, Listed


class Winner(StrEnum):
    """Who was first: what the pair's history was."""

    ACKNOWLEDGE = "acknowledge"
    CLAIM = "claim"
    MARK = "claim and mark"


class Broken(StrEnum):
    """What must never be seen."""

    UNLISTED = "claimed, and the acknowledge did not list it"
    COMMITTED_AFTER = "claimed or marked after the acknowledge, as the database has it"
    MARKED_UNSEEN = "marked, and the acknowledge did not see it"
    TWICE = "claimed twice"
    NO_HISTORY = "answers that fit no history"
    ROWS = "rows that do not say what the racers were answered"


@dataclass(frozen=True)
class Seen:
    """What came of one pair. `overlapped`: one asked for the lock before the other's commit was sent."""

    pair: Pair
    acknowledged: Acknowledged
    claimers: tuple[Claimed, ...]
    overlapped: bool

    @property
    def claims(self) -> list[int]:
        return [claimed.number for claimed in self.claimers if claimed.number is not None]

    @property
    def marked(self) -> bool:
        return any(claimed.mark is _Mark.GO for claimed in self.claimers)

    @property
    def winner(self) -> Winner:
        if self.marked:
            return Winner.MARK
        return Winner.CLAIM if self.claims else Winner.ACKNOWLEDGE


def judge(seen: Seen, left: Left) -> set[Broken]:
    """All that is wrong with this pair."""
    return set(_of_the_claim(seen, left)) | set(_of_the_answers(seen)) | set(_of_the_rows(seen, left))


def _of_the_claim(seen: Seen, left: Left) -> Iterator[Broken]:
    numbers = [listed.claim_number for listed in seen.acknowledged.in_flight]
    if len(seen.claims) > 1:
        yield Broken.TWICE
    if seen.claims and not set(seen.claims) & set(numbers):
        yield Broken.UNLISTED
    if seen.claims and left.later:
        yield Broken.COMMITTED_AFTER
    if seen.marked and not any(listed.marked for listed in seen.acknowledged.in_flight):
        yield Broken.MARKED_UNSEEN


def _of_the_answers(seen: Seen) -> Iterator[Broken]:
    before = seen.pair.claims_before
    # An attempt whose sender is gone is listed under its old number: nobody else may have it by then.
    stale = (Listed(before, marked=False),) if before else ()
    expected = (Listed(before + 1, seen.marked),) if seen.claims else stale
    others = {claimed.reason for claimed in seen.claimers if claimed.number is None}
    marks = [claimed.mark for claimed in seen.claimers if claimed.number is not None]
    tried = seen.pair.kind is Kind.CLAIM_AND_MARK
    if (
        not seen.acknowledged.changed
        or seen.acknowledged.in_flight != expected
        or others - {Reason.LEASED if seen.claims else Reason.STALE}
        or any(mark not in ((_Mark.GO, _Mark.ANSWERED) if tried else (None,)) for mark in marks)
    ):
        yield Broken.NO_HISTORY


def _of_the_rows(seen: Seen, left: Left) -> Iterator[Broken]:
    if seen.claims:
        expected = ("sending", max(seen.claims), seen.marked)
    else:
        expected = ("cancelled", seen.pair.claims_before, False)
    if left.execution != "acknowledged" or (left.status, left.claim_number, left.marked) != expected:
        yield Broken.ROWS
