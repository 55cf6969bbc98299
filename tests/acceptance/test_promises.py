"""The judge of the other tests is judged: it sees each way in which a promise can be broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from alertops.escalation.plan import PlannedStep
from alertops.models import Attempt, Execution, Step
from deploy.local.promises import History, Mail, Target, Verdict, judge

START = datetime(2024, 1, 1, tzinfo=UTC)
PATIENCE = timedelta(seconds=2)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def kept() -> History:
    """Two steps, after 10 and 20 s, each told and received a little later; then acknowledged."""
    execution = Execution(id=uuid4(), status="acknowledged", anchor_at=START, acknowledged_at=at(25))
    steps = [
        Step(number=n, node_index=n - 1, planned_at=at(10 * n), due_at=at(10 * n), fired_at=at(10 * n + 0.1))
        for n in (1, 2)
    ]
    attempts = [
        Attempt(
            execution_id=execution.id,
            step_number=n,
            target_number=1,
            number=1,
            status="delivered",
            due_at=at(10 * n + 0.1),
            lease_until=at(10 * n + 15),
            transmit_at=at(10 * n + 0.2),
            finished_at=at(10 * n + 0.3),
            claim_number=1,
            may_repeat=False,
        )
        for n in (1, 2)
    ]
    mails = [Mail(at(10 * n + 0.2), f"<{n}@test>", Target(execution.id, n, 1), 1) for n in (1, 2)]
    planned = [PlannedStep(n, 0, n - 1, at(10 * n)) for n in (1, 2, 3)]
    return History(execution, planned, steps, attempts, frozenset(), mails, at(60), PATIENCE)


def broken(history: History) -> set[str]:
    verdict = Verdict()
    judge(verdict, history)
    assert verdict.checked, "nothing was checked"
    return {sentence.partition(":")[0] for sentence in verdict.broken}


def test_nothing_is_broken_when_all_is_kept() -> None:
    verdict = Verdict()
    judge(verdict, kept())
    assert not verdict.broken
    assert verdict.checked["fired"] == verdict.checked["received"] == 2
    assert verdict.lateness == [0.1, 0.1]


def lose_a_step(history: History) -> History:
    return replace(history, steps=history.steps[:1], attempts=history.attempts[:1], mails=history.mails[:1])


def tell_nobody(history: History) -> History:
    return replace(history, attempts=history.attempts[:1], mails=history.mails[:1])


def lose_a_mail(history: History) -> History:
    return replace(history, mails=history.mails[:1])


def leave_an_attempt(history: History) -> History:
    history.attempts[1].status, history.attempts[1].finished_at = "sending", None
    return history


def fire(number: int, seconds: float) -> Callable[[History], History]:
    def moved(history: History) -> History:
        history.steps[number - 1].fired_at = at(seconds)
        return history

    return moved


def drift(history: History) -> History:
    history.steps[1].planned_at = history.steps[1].due_at = at(20.1)
    return history


def mail(number: int, seconds: float, **changes: object) -> Callable[[History], History]:
    """One mail more, like that of a step."""

    def mailed(history: History) -> History:
        more = replace(history.mails[number - 1], received_at=at(seconds), **changes)  # type: ignore[arg-type]
        return replace(history, mails=[*history.mails, more])

    return mailed


def transmit_after_the_answer(history: History) -> History:
    history.attempts[1].transmit_at = at(26)
    return replace(history, mails=[history.mails[0], replace(history.mails[1], received_at=at(26.1))])


def share_an_id(history: History) -> History:
    return replace(history, mails=[history.mails[0], replace(history.mails[1], message_id="<1@test>")])


@pytest.mark.parametrize(
    ("damage", "promise"),
    [
        (lose_a_step, "fired"),
        (tell_nobody, "told"),
        (lose_a_mail, "received"),
        (leave_an_attempt, "settled"),
        (fire(1, 9.9), "not early"),
        (fire(1, 13), "not late"),
        (fire(1, 20.2), "ordered"),
        (fire(2, 26), "silent"),
        (drift, "undrifted"),
        (mail(1, 9), "not early"),
        (mail(1, 12), "once"),
        (mail(1, 12, message_id="<other@test>"), "one Message-ID"),
        (mail(1, 12, attempt=2), "known"),
        (transmit_after_the_answer, "silent"),
        (share_an_id, "own Message-ID"),
    ],
)
def test_broken_promise_is_seen(damage: Callable[[History], History], promise: str) -> None:
    assert promise in broken(damage(kept()))


def test_repeat_that_was_announced_is_no_broken_promise() -> None:
    history = mail(1, 12)(kept())
    history.attempts[0].claim_number, history.attempts[0].may_repeat = 2, True
    assert not broken(history)


def test_mail_that_was_being_transmitted_at_the_answer_is_no_broken_promise() -> None:
    history = kept()
    assert not broken(
        replace(history, mails=[history.mails[0], replace(history.mails[1], received_at=at(25.5))])
    )
