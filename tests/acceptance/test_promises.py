"""The judge of the other tests is judged: it sees each way in which a promise can be broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from alertops.escalation.flow import Flow, Node, OnUnknown
from alertops.escalation.plan import Course
from alertops.models import Attempt, Execution, Step, Timer
from alertops.verify.history import History, Span, Stretch, within
from deploy.local.promises import Message, Target, Verdict, judge

START = datetime(2024, 1, 1, tzinfo=UTC)
PATIENCE = timedelta(seconds=2)
FLOW = Flow(
    tuple(Node(str(n), f"Node {n}", {"type": "email", "email": f"{n}@example.org"}, 10) for n in (1, 2, 3))
)

ATTEMPT = (
    "execution_id",
    "step_number",
    "target_number",
    "address",
    "status",
    "created_at",
    "due_at",
    "finished_at",
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Seen:
    """All that is known of one execution, from both sides."""

    history: History
    mails: list[Message]

    @property
    def steps(self) -> Sequence[Step]:
        return self.history.steps

    @property
    def attempts(self) -> Sequence[Attempt]:
        return self.history.attempts

    def only_first(self, *, mails: int = 1, attempts: int = 1, steps: int = 1) -> Seen:
        rows = replace(self.history, steps=self.steps[:steps], attempts=self.attempts[:attempts])
        return Seen(rows, self.mails[:mails])


def kept() -> Seen:
    """Two steps, after 10 and 20 s, each told and received a little later; acknowledged before the third."""
    execution = Execution(id=uuid4(), status="acknowledged", created_at=START, acknowledged_at=at(25))
    steps = [
        Step(
            number=n,
            round=0,
            node_id=str(n),
            status="fired" if n < 3 else "cancelled",
            created_at=at(10 * (n - 1)),
            planned_at=at(10 * n),
            due_at=at(10 * n),
            fired_at=at(10 * n + 0.1) if n < 3 else None,
        )
        for n in (1, 2, 3)
    ]
    attempts = [
        Attempt(
            execution_id=execution.id,
            step_number=n,
            target_number=1,
            number=1,
            channel="email",
            address=f"{n}@example.org",
            status="delivered",
            due_at=at(10 * n),
            created_at=at(10 * n + 0.1),
            lease_until=at(10 * n + 15),
            transmit_at=at(10 * n + 0.2),
            finished_at=at(10 * n + 0.3),
            claim_number=1,
            may_repeat=False,
        )
        for n in (1, 2)
    ]
    mails = [
        Message(at(10 * n + 0.2), f"<{n}@test>", Target(execution.id, n, 1), 1, f"{n}@example.org")
        for n in (1, 2)
    ]
    history = History(
        execution=execution,
        stretches=[Stretch(1, 1, FLOW, Course(START), START)],
        spans=[Span(START, at(25))],
        steps=steps,
        attempts=attempts,
        told_nobody=frozenset(),
        now=at(60),
        deadline=within(PATIENCE),
    )
    return Seen(history, mails)


def broken(seen: Seen) -> set[str]:
    verdict = Verdict()
    judge(verdict, seen.history, sorted(seen.mails, key=lambda mail: mail.received_at))
    assert verdict.checked, "nothing was checked"
    assert {violation.execution_id for violation in verdict.violations} <= {seen.history.execution.id}
    return {violation.promise for violation in verdict.violations}


def test_nothing_is_broken_when_all_is_kept() -> None:
    verdict = Verdict()
    seen = kept()
    judge(verdict, seen.history, seen.mails)
    assert not verdict.broken
    assert verdict.checked["fired"] == verdict.checked["received"] == 2
    assert verdict.lateness == [0.1, 0.1]


def lose_a_step(seen: Seen) -> Seen:
    """It waited until the answer, three seconds after it was due."""
    seen.steps[1].fired_at, seen.steps[1].status = None, "cancelled"
    return seen.only_first(steps=2)


def tell_nobody(seen: Seen) -> Seen:
    return seen.only_first(steps=2)


def drop_a_mail(seen: Seen) -> Seen:
    return seen.only_first(steps=2, attempts=2)


def leave_an_attempt(seen: Seen) -> Seen:
    seen.attempts[1].status, seen.attempts[1].finished_at = "sending", None
    return seen


def fire(number: int, seconds: float) -> Callable[[Seen], Seen]:
    def moved(seen: Seen) -> Seen:
        seen.steps[number - 1].fired_at = at(seconds)
        return seen

    return moved


def drift(seen: Seen) -> Seen:
    seen.steps[1].planned_at = seen.steps[1].due_at = at(20.1)
    return seen


def lose_the_next_step(seen: Seen) -> Seen:
    return seen.only_first(mails=2, attempts=2, steps=2)


def skip_a_node(seen: Seen) -> Seen:
    seen.steps[1].node_id = "3"
    return seen


def skip_a_step(seen: Seen) -> Seen:
    seen.steps[1].number = seen.attempts[1].step_number = 3
    return seen


def mail(number: int, seconds: float, **changes: object) -> Callable[[Seen], Seen]:
    """One mail more, like that of a step."""

    def mailed(seen: Seen) -> Seen:
        more = replace(seen.mails[number - 1], received_at=at(seconds), **changes)  # type: ignore[arg-type]
        return replace(seen, mails=[*seen.mails, more])

    return mailed


def second_mail(**changes: object) -> Callable[[Seen], Seen]:
    """The second mail, otherwise than it came."""

    def changed(seen: Seen) -> Seen:
        return Seen(seen.history, [seen.mails[0], replace(seen.mails[1], **changes)])  # type: ignore[arg-type]

    return changed


def transmit_after_the_answer(seen: Seen) -> Seen:
    seen.attempts[1].transmit_at = at(26)
    return second_mail(received_at=at(26.1))(seen)


def record_a_send_after_the_answer(seen: Seen) -> Seen:
    seen.attempts[1].transmit_at = at(25.001)
    return seen


def fail_the_first(seen: Seen, **changes: object) -> Seen:
    """Nobody is told by the first step at 10.3 s; the second is due at 20."""
    seen.attempts[0].status = "failed"
    return Seen(replace(seen.history, **changes), seen.mails[1:])  # type: ignore[arg-type]


def forget_a_retry(seen: Seen) -> Seen:
    return fail_the_first(seen, to_retry=frozenset({(1, 1, 1)}), brought_forward=frozenset({2}))


def stay_open(seen: Seen) -> Seen:
    seen.history.execution.status, seen.history.execution.acknowledged_at = "running", None
    return replace(seen, history=replace(seen.history, spans=[Span(START)]))


def end_too_soon(seen: Seen) -> Seen:
    leave_an_attempt(seen).history.execution.status = "exhausted"
    return seen


def send_before_the_pause_is_over(seen: Seen) -> Seen:
    seen.attempts[1].due_at = at(20.25)
    return seen


def hold(seen: Seen) -> Seen:
    """Repeated and announced, where the node wants no duplicates."""
    nodes = tuple(replace(node, on_unknown=OnUnknown.HOLD) for node in FLOW.nodes)
    seen = mail(1, 12)(seen)
    seen.attempts[0].claim_number, seen.attempts[0].may_repeat = 2, True
    stretch = replace(seen.history.stretches[0], flow=replace(FLOW, nodes=nodes))
    return replace(seen, history=replace(seen.history, stretches=[stretch]))


def tell_another_team(seen: Seen) -> Seen:
    seen.attempts[1].address = "stranger@example.org"
    return second_mail(address="stranger@example.org")(seen)


def forget_a_timer(seen: Seen) -> Seen:
    timer = Timer(kind="ack_timeout", status="waiting", due_at=at(50))
    return replace(seen, history=replace(seen.history, timers=[timer]))


def forget_a_snooze(seen: Seen) -> Seen:
    """Its timer has fired, and nothing has come of it."""
    seen.history.execution.status, seen.history.execution.snoozed_until = "snoozed", at(50)
    return seen


def come_back(seen: Seen, *, to: str = "2", due: float = 40) -> Seen:
    """Nobody resolved it: at 40 s the node that had fired last fires again."""
    course = Course(at(20), at(40))
    back = Stretch(4, 1, FLOW, course, at(40.05), reason="ack_timed_out")
    again = Step(
        number=4,
        round=0,
        node_id=to,
        status="fired",
        created_at=at(40.05),
        planned_at=at(due),
        due_at=at(due),
        fired_at=at(due + 0.1),
    )
    waits = Step(
        number=5,
        round=0,
        node_id="3",
        status="waiting",
        created_at=at(due + 0.1),
        planned_at=at(50),
        due_at=at(50),
    )
    history = replace(
        seen.history,
        stretches=[*seen.history.stretches, back],
        spans=[*seen.history.spans, Span(at(40.05))],
        steps=[*seen.steps, again, waits],
        told_nobody=frozenset({4}),
        now=at(45),
    )
    history.execution.status = "running"
    return replace(seen, history=history)


def come_back_to_another(seen: Seen) -> Seen:
    return come_back(seen, to="1")


def come_back_late(seen: Seen) -> Seen:
    return come_back(seen, due=41)


def hand_it_on(seen: Seen, since: float, *, first_step: int = 3) -> Seen:
    """Another flow takes over; what the first had begun is left behind."""
    taken_over = Stretch(
        first_step, first_step, FLOW, Course(at(since), at(since)), at(since), reason="reassigned"
    )
    return replace(seen, history=replace(seen.history, stretches=[*seen.history.stretches, taken_over]))


def rebase(seen: Seen, anchor: float, *, first_step: int = 1, floor: float | None = 21) -> Seen:
    """At 21 s it goes on with the newest revision, before its third step."""
    course = Course(at(anchor), None if floor is None else at(floor))
    onto = Stretch(3, first_step, FLOW, course, at(21), reason="rebased")
    return replace(seen, history=replace(seen.history, stretches=[*seen.history.stretches, onto]))


def rebase_from_then_on(seen: Seen) -> Seen:
    return rebase(seen, 21)


def rebase_as_if_nothing_had_fired(seen: Seen) -> Seen:
    return rebase(seen, 0, first_step=3)


def rebase_into_the_past(seen: Seen) -> Seen:
    return rebase(seen, 0, floor=None)


def send_what_was_left_behind(seen: Seen) -> Seen:
    return hand_it_on(seen, 20.15)


@pytest.mark.parametrize(
    ("damage", "promise"),
    [
        pytest.param(lose_a_step, "fired", id="a lost step"),
        pytest.param(tell_nobody, "told", id="a step that told nobody"),
        pytest.param(drop_a_mail, "received", id="a dropped mail"),
        pytest.param(leave_an_attempt, "settled", id="an attempt left behind"),
        pytest.param(forget_a_retry, "retried", id="a forgotten retry"),
        pytest.param(fail_the_first, "escalated", id="waiting though nobody was told"),
        pytest.param(stay_open, "ended", id="an execution that does not end"),
        pytest.param(end_too_soon, "ended", id="an execution that ends too soon"),
        pytest.param(send_before_the_pause_is_over, "not early", id="an early retry"),
        pytest.param(hold, "held", id="a repeat that nobody wants"),
        pytest.param(fire(1, 9.9), "not early", id="an early step"),
        pytest.param(fire(1, 13), "not late", id="a late step"),
        pytest.param(fire(1, 20.2), "ordered", id="a step that was overtaken"),
        pytest.param(fire(2, 26), "silent", id="a step after the acknowledge"),
        pytest.param(forget_a_timer, "timed", id="a timer that was forgotten"),
        pytest.param(forget_a_snooze, "timed", id="a snooze that was forgotten"),
        pytest.param(come_back_to_another, "planned", id="coming back to another node"),
        pytest.param(come_back_late, "undrifted", id="coming back at another time"),
        pytest.param(rebase_from_then_on, "undrifted", id="a rebase that counts anew"),
        pytest.param(rebase_into_the_past, "undrifted", id="a rebase after which what is due is late"),
        pytest.param(rebase_as_if_nothing_had_fired, "undrifted", id="a rebase that begins anew"),
        pytest.param(send_what_was_left_behind, "silent", id="a send of what was left behind"),
        pytest.param(drift, "undrifted", id="a due time that drifted"),
        pytest.param(skip_a_node, "planned", id="a skipped node"),
        pytest.param(lose_the_next_step, "planned", id="a firing without the next step"),
        pytest.param(skip_a_step, "planned", id="a skipped step"),
        pytest.param(mail(1, 9), "not early", id="an early mail"),
        pytest.param(mail(1, 12), "once", id="a mail sent twice"),
        pytest.param(mail(1, 12, key="<other@test>"), "one key", id="twice, under another key"),
        pytest.param(mail(1, 12, attempt=2), "known", id="a mail of no attempt"),
        pytest.param(mail(2, 26), "once", id="sent again after the acknowledge"),
        pytest.param(transmit_after_the_answer, "silent", id="a mail after the acknowledge"),
        pytest.param(record_a_send_after_the_answer, "silent", id="a send after the acknowledge"),
        pytest.param(second_mail(key="<1@test>"), "own key", id="a Message-ID used twice"),
        pytest.param(second_mail(address="stranger@example.org"), "addressed", id="a mail that went astray"),
        pytest.param(tell_another_team, "addressed", id="another team's address"),
    ],
)
def test_broken_promise_is_seen(damage: Callable[[Seen], Seen], promise: str) -> None:
    assert promise in broken(damage(kept()))


def test_coming_back_is_no_broken_promise() -> None:
    assert not broken(come_back(kept()))


def test_step_that_waited_when_it_was_handed_on_is_no_broken_promise() -> None:
    assert not broken(hand_it_on(kept(), 24))


@pytest.mark.parametrize(
    ("first", "second", "promises"),
    [(False, True, set()), (False, False, {"once"}), (True, True, set())],
)
def test_repeat_is_no_broken_promise_if_it_says_so(first: bool, second: bool, promises: set[str]) -> None:
    """The row knows that it may be one; which of the two came first depends on who was paused."""
    seen = mail(1, 12, announced=second)(kept())
    seen.attempts[0].claim_number, seen.attempts[0].may_repeat = 2, True
    seen.mails[0] = replace(seen.mails[0], announced=first)
    assert broken(seen) == promises


def test_webhook_that_was_lost_is_seen_by_whoever_has_the_webhooks() -> None:
    seen, url = kept(), "https://hooks.example.org/a"
    seen.attempts[1].channel, seen.attempts[1].address = "webhook", url
    verdicts = [Verdict(), Verdict()]
    judge(verdicts[0], seen.history, seen.mails[:1])
    judge(verdicts[1], seen.history, seen.mails[:1], ("email", "webhook"))
    assert ["received" in str(verdict.broken) for verdict in verdicts] == [False, True]


def test_failure_with_its_retry_is_no_broken_promise() -> None:
    seen = forget_a_retry(kept())
    retry = Attempt(**{name: getattr(seen.attempts[0], name) for name in ATTEMPT} | {"number": 2})
    rows = replace(seen.history, attempts=[*seen.attempts, retry])
    assert not broken(replace(seen, history=rows))


@pytest.mark.parametrize(("since", "promise"), [(31, set()), (33, {"fired"})])
def test_step_that_was_left_behind_is_lost_if_it_was_late_by_then(since: float, promise: set[str]) -> None:
    """The third is due at 30 s, and cancelled when another flow takes over."""
    assert broken(hand_it_on(stay_open(kept()), since, first_step=4)) & {"fired"} == promise


@pytest.mark.parametrize(("since", "promise"), [(31, set()), (33, {"fired"})])
def test_step_that_was_taken_out_is_lost_if_it_was_late_by_then(since: float, promise: set[str]) -> None:
    shorter = replace(FLOW, nodes=FLOW.nodes[:2])
    onto = Stretch(3, 1, shorter, Course(START, at(since)), at(since), reason="rebased")
    seen = stay_open(kept())
    rows = replace(seen.history, stretches=[*seen.history.stretches, onto])
    assert broken(replace(seen, history=rows)) & {"fired"} == promise


def test_rebase_that_counts_as_before_is_no_broken_promise() -> None:
    assert not broken(rebase(kept(), 0))


def test_step_that_is_brought_forward_is_no_broken_promise() -> None:
    assert not broken(fail_the_first(kept(), brought_forward=frozenset({2})))


def test_mail_that_was_being_transmitted_at_the_answer_is_no_broken_promise() -> None:
    assert not broken(second_mail(received_at=at(25.5))(kept()))


def test_step_that_an_outage_delayed_is_no_broken_promise() -> None:
    """Who knows of outages says by when each thing must have happened."""
    seen = fire(1, 13)(kept())
    until_the_outage_was_over = replace(seen.history, deadline=lambda due_at: due_at + 2 * PATIENCE)
    assert broken(seen) == {"not late"}
    assert not broken(replace(seen, history=until_the_outage_was_over))
