"""What clients were told, held against rows and timelines: whatever is not as it was answered is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from alertops.models import Attempt, Execution, Step
from alertops.verify.promises import Verdict
from alertops.verify.told import Told
from deploy.chaos.claims import Claims, read_activity
from deploy.chaos.clients import Raised
from deploy.chaos.operations import Asked, Kind

START = datetime(2024, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=6)
ONE, TWO = UUID(int=1), UUID(int=2)
FLOW, OTHER = uuid4(), uuid4()
WORDS = "mine"

Entry = tuple[str, datetime, dict[str, Any]]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def execution(**changes: Any) -> Execution:
    usual = {"id": ONE, "dedup_key": "a", "flow_id": FLOW, "created_at": at(0.5), "revision_number": 3}
    return Execution(**usual | changes)


def attempt(**changes: Any) -> Attempt:
    usual = {"execution_id": ONE, "step_number": 1, "target_number": 1, "number": 1}
    return Attempt(**usual | {"lease_until": at(16), "transmit_at": at(11)} | changes)


def entry(event: str, seconds: float, **detail: Any) -> Entry:
    return event, at(seconds), detail


def moved(seconds: float, flow_id: UUID, revision: int | None, **detail: Any) -> Entry:
    return entry("course_changed", seconds, flow_id=str(flow_id), revision=revision, **detail)


STARTED = entry("started", 0.6, flow_id=str(FLOW), revision=3)
ACKNOWLEDGED = entry("acknowledged", 11.9, note=WORDS)
RAISED = Raised(1, "a", str(FLOW), at(0), at(1), ONE, 3)
# The alert was accepted at 1 s, and acknowledged at 12 s.
ASKED = Asked(ONE, Kind.ACKNOWLEDGE, WORDS, at(11), 1, at(12), changed=True)


def broken(
    *rows: Execution | Step | Attempt,
    told: list[Entry] | None = None,
    second: list[Entry] | None = None,
    asked: Asked = ASKED,
) -> set[str]:
    """The promises that are broken, given these rows and timelines."""
    executions = {row.id: row for row in rows if isinstance(row, Execution)}
    steps = [row for row in rows if isinstance(row, Step)]
    attempts = [row for row in rows if isinstance(row, Attempt)]
    timelines = {ONE: Told(of_course=[STARTED, ACKNOWLEDGED] if told is None else told)}
    timelines[TWO] = Told(of_course=second or [])
    verdict = Verdict()
    Claims(verdict, executions, timelines, read_activity(steps, attempts, LEASE)).judge([RAISED], [asked])
    return {violation.promise for violation in verdict.violations}


def test_nothing_is_broken_when_all_is_kept() -> None:
    assert not broken(execution(), Step(execution_id=ONE, number=1, fired_at=at(10)), attempt())


def test_alert_that_is_not_there_is_seen() -> None:
    assert broken(told=[]) == {"accepted", "answered"}


def test_execution_of_another_alert_is_seen() -> None:
    assert "accepted" in broken(execution(dedup_key="b"))


def test_execution_that_went_over_to_another_revision_is_seen() -> None:
    assert broken(execution(revision_number=4)) == {"frozen"}
    assert broken(execution(), told=[entry("started", 0.6, flow_id=str(FLOW), revision=4), ACKNOWLEDGED]) == {
        "frozen"
    }


@pytest.mark.parametrize(
    ("course", "kept"),
    [
        ([moved(5, FLOW, 4, note=WORDS)], True),
        ([moved(5, FLOW, 4), entry("resumed", 5, note=WORDS)], True),
        ([moved(5, FLOW, 4, note="of nobody")], False),
        ([moved(5, FLOW, 4, note=WORDS), moved(6, FLOW, 5, note="of nobody")], False),
        ([moved(5, FLOW, 5, note=WORDS)], False),
    ],
)
def test_only_who_asks_moves_an_execution(course: list[Entry], kept: bool) -> None:
    asked = Asked(ONE, Kind.REBASE, WORDS, at(4), 1, at(6), changed=True)
    found = broken(execution(revision_number=4), told=[STARTED, *course], asked=asked)
    assert ("frozen" not in found) is kept


@pytest.mark.parametrize(("revision", "kept"), [(4, True), (5, False)])
def test_rebase_to_another_revision_than_was_asked_for_is_seen(revision: int, kept: bool) -> None:
    wanted = {"revision": revision}
    asked = Asked(ONE, Kind.REBASE, WORDS, at(4), 1, at(6), changed=True, wanted=wanted)
    told = [STARTED, moved(5, FLOW, 4, note=WORDS)]
    assert broken(execution(revision_number=4), told=told, asked=asked) == (set() if kept else {"answered"})


def test_execution_that_another_flow_took_over_is_where_it_was_moved_to() -> None:
    asked = Asked(ONE, Kind.REASSIGN, WORDS, at(4), 1, at(6), changed=True)
    told = [STARTED, moved(5, OTHER, 1, note=WORDS)]
    assert not broken(execution(flow_id=OTHER, revision_number=1), told=told, asked=asked)
    assert broken(execution(), told=told, asked=asked) == {"frozen"}


@pytest.mark.parametrize(
    ("ended", "written", "kept"),
    [
        ([], 5, False),
        ([entry("exhausted", 4)], 5, True),
        ([entry("exhausted", 4), entry("snoozed", 4.5)], 5, False),
        ([moved(4, OTHER, 1)], 5, True),
        # `created_at`, when its transaction began, is 3 s: it may have waited for the end of the first.
        ([entry("exhausted", 4)], 4.5, True),
        ([entry("exhausted", 4)], 3.5, False),
    ],
)
def test_second_execution_is_seen_unless_the_first_was_over(
    ended: list[Entry], written: float, kept: bool
) -> None:
    later = execution(id=TWO, created_at=at(3))
    second = [entry("started", written, flow_id=str(FLOW), revision=3)]
    found = broken(execution(), later, told=[STARTED, *ended, ACKNOWLEDGED], second=second)
    assert ("one execution" not in found) is kept


@pytest.mark.parametrize("told", [[], [entry("acknowledged", 12.5, note=WORDS)]])
def test_what_was_answered_too_soon_is_seen(told: list[Entry]) -> None:
    assert broken(execution(), told=[STARTED, *told]) == {"answered"}


def test_what_was_done_more_often_than_it_was_asked_is_seen() -> None:
    told = [STARTED, entry("snoozed", 11.2, note=WORDS), entry("snoozed", 11.9, note=WORDS)]
    asked = replace(ASKED, kind=Kind.SNOOZE)
    assert broken(execution(), told=told, asked=asked) == {"answered"}
    assert not broken(execution(), told=told, asked=replace(asked, tries=2))


def test_what_got_no_answer_promises_nothing() -> None:
    assert not broken(execution(), told=[STARTED], asked=replace(ASKED, answered_at=None))


@pytest.mark.parametrize(("refused", "kept"), [("409 somebody was first", True), ("404 what?", False)])
def test_refusal_that_is_none_of_the_table_is_seen(refused: str, kept: bool) -> None:
    asked = replace(ASKED, answered_at=None, refused=refused)
    assert broken(execution(), told=[STARTED], asked=asked) == (set() if kept else {"answered"})


LATE: list[Step | Attempt] = [
    Step(execution_id=ONE, number=2, fired_at=at(12.1)),
    attempt(lease_until=at(18.1), transmit_at=None),
    attempt(transmit_at=at(12.1)),
]


@pytest.mark.parametrize("late", LATE)
def test_activity_after_the_answer_is_seen(late: Step | Attempt) -> None:
    assert broken(execution(), late) == {"unclaimed"}


@pytest.mark.parametrize("late", LATE)
def test_activity_after_it_came_back_is_none_after_the_answer(late: Step | Attempt) -> None:
    assert not broken(execution(), late, told=[STARTED, ACKNOWLEDGED, entry("resumed", 12.05)])
    assert broken(execution(), late, told=[STARTED, entry("resumed", 11), ACKNOWLEDGED]) == {"unclaimed"}
