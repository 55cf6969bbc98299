"""The real services on a real Postgres, driven through made-up histories, and held against the pure machine.

Two workers and a person do what they may do in any order. Every transaction is a move of its own, so a
worker stands still between two of them while others act on the same rows: claimed and not yet marked,
marked and not transmitted, transmitted and not recorded. It goes on late, after its lease has run out or
was taken by the other, or it dies. Two transactions also meet: one is stopped with the row locked, the
other waits for it. After each move every row is as the machine says (`tests/stateful`); and at the end of
each history recovery alone, by the wake-ups that it dispatches, brings the execution to its end.

In the suite the histories are always the same: some six hundred moves. `HYPOTHESIS_PROFILE=deep` plays 400
longer ones, new each time, in about ten minutes::

    HYPOTHESIS_PROFILE=deep python -m pytest tests/integration/test_stateful.py
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session, sessionmaker

from alertops.escalation.events import Acknowledge, Resolve
from alertops.escalation.flow import Flow, Node, OnFailure, OnUnknown, RetryPolicy
from alertops.escalation.states import AttemptStatus
from tests.integration.world import World
from tests.stateful.moves import PERSON, WORKERS, Key, Move
from tests.stateful.oracle import JITTER, Fate
from tests.stateful.outside import Mood, resolve
from tests.stateful.playground import MOVES_OF_A_SEND, Playground
from tests.stateful.strands import reach
from tests.unit.test_machine_histories import numbered

SERVICES_THAT_STOP = ("operate", "claim_attempt", "fire_step", "record_outcome", "send_attempt")

settings.register_profile("suite-stateful", max_examples=25, stateful_step_count=25, derandomize=True)
settings.register_profile("deep", max_examples=2500, stateful_step_count=60)
PROFILE = "deep" if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else "suite-stateful"

recipients = st.sampled_from(
    [
        {"type": "email", "email": "a@example.com"},
        {"type": "several", "targets": 2},
        {"type": "user", "user_id": str(uuid4())},  # who is in no team: nobody
    ]
)
flows = st.builds(
    Flow,
    nodes=st.lists(
        st.builds(
            Node,
            id=st.just("id"),
            name=st.just("name"),
            recipient=recipients,
            delay_seconds=st.sampled_from([0, 20, 120]),
            retry=st.builds(
                RetryPolicy, max_attempts=st.sampled_from([2, 3, 1]), backoff_seconds=st.sampled_from([1, 10])
            ),
            on_failure=st.sampled_from(OnFailure),
            on_unknown=st.sampled_from(OnUnknown),
        ),
        min_size=1,
        max_size=3,
    ).map(numbered),
    repeat=st.integers(0, 1),
)
# What is uncertain has the most to be got wrong.
fates = st.sampled_from([*Fate, Fate.CONNECTION_LOST, Fate.CONNECTION_LOST])
at_the_end = fates.filter(lambda fate: not fate.at_opening)
answers: st.SearchStrategy[Acknowledge | Resolve] = st.sampled_from([Acknowledge(), Resolve()])
# So many moves after the first: up to the open conversation, the mark, the transmission, the record.
how_far = st.sampled_from(range(MOVES_OF_A_SEND + 1))
pauses = st.sampled_from([0, 1, 6, 9, 11, 16, 61, 301])
how_far_begun = st.sampled_from([0, 1, 2, 3, 4, 2, 3, 4])
FIRST_STEP, FIRST_ATTEMPT = (1,), (1, 1, 1)
SCHEDULED, SENDING = AttemptStatus.SCHEDULED, AttemptStatus.SENDING


class Histories(RuleBasedStateMachine):
    """Most moves are drawn for rows that still wait for something: what comes too late does nothing."""

    def __init__(self, world: World, sessions: sessionmaker[Session]) -> None:
        super().__init__()
        self.ground = Playground(world, sessions)
        self.late = 0

    @initialize(flow=flows, begun=how_far_begun, fate=fates)
    def an_alert_comes_in(self, flow: Flow, begun: int, fate: Fate) -> None:
        """In most histories the first send stands still already, wherever it likes."""
        self.late = 0
        self.ground.start(flow)
        for key in [FIRST_STEP, FIRST_ATTEMPT][:begun]:
            if key in self.ground.live_keys():
                self.ground.pass_time_until_due(key)
                self.ground.play(self.ground.cast.woken("A", key, fate))
        self.ground.play_on("A", fate, max(0, begun - 2))

    @precondition(lambda self: not self.ground.goes_on)
    @rule(flow=flows, begun=how_far_begun, fate=fates)
    def the_next_alert_comes_in(self, flow: Flow, begun: int, fate: Fate) -> None:
        self.an_alert_comes_in(flow, begun, fate)

    @precondition(lambda self: not self.ground.goes_on and self.late < 2)
    @rule(data=st.data())
    def something_comes_too_late(self, data: st.DataObject) -> None:
        self.late += 1
        self.ground.play(self.draw_move(data, [*self.ground.cast.idle(WORKERS), PERSON]))

    # ---- one at a time

    @precondition(lambda self: self.ground.goes_on and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), seconds=pauses, change=st.none() | st.sampled_from(Mood), keep=st.booleans())
    def the_broker_changes_and_a_wake_up_arrives_whenever(
        self, data: st.DataObject, seconds: float, change: Mood | None, keep: bool
    ) -> None:
        """From the broker, and perhaps not for the last time; or one that nobody remembers."""
        self.ground.pass_time(seconds)
        self.ground.set_broker(change or self.ground.broker.mood)
        self.ground.recover()
        worker, fate = self.draw_idle(data), data.draw(fates, "fate")
        if self.ground.broker.messages:
            message = data.draw(st.sampled_from(self.ground.broker.messages), "message")
            if not keep:
                self.ground.broker.messages.remove(message)
            self.ground.play(self.ground.cast.woken_by(message, worker, fate))
        else:
            key = data.draw(st.sampled_from(self.ground.keys()), "key")
            self.ground.play(self.ground.cast.woken(worker, key, fate))

    @precondition(lambda self: self.ground.waiting_steps() and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), emptied=st.booleans(), mood=st.sampled_from(Mood))
    def a_step_comes_due_and_fires(self, data: st.DataObject, emptied: bool, mood: Mood) -> None:
        """Perhaps after the broker was emptied, and filled by recovery; or it is down for some seconds."""
        if emptied:
            self.ground.empty_broker_and_recover()
        self.ground.set_broker(mood)
        self.ground.play(self.draw_due_move(data, self.ground.waiting_steps()))
        if mood is not Mood.TAKES:
            self.ground.set_broker(Mood.TAKES)
            self.ground.pass_time(11)
            self.ground.recover()

    @precondition(lambda self: self.ground.attempts_that_are(SENDING))
    @rule(data=st.data(), cut_off=st.booleans())
    def somebody_answers_while_something_is_sent(self, data: st.DataObject, cut_off: bool) -> None:
        """Perhaps the first try dies with its transaction open."""
        answer = self.draw_move(data, [PERSON])
        if cut_off:
            self.ground.play_and_die(answer)
        self.ground.play(answer)

    # ---- a send, which stands still wherever it likes

    @precondition(lambda self: self.ground.attempts_that_are(SCHEDULED) and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), fate=fates, moves=how_far)
    def an_attempt_comes_due_and_is_sent(self, data: st.DataObject, fate: Fate, moves: int) -> None:
        move = self.draw_due_move(data, self.ground.attempts_that_are(SCHEDULED), fate)
        self.ground.play(move)
        self.ground.play_on(move.who, fate, moves)

    @precondition(lambda self: self.ground.cast.busy(WORKERS))
    @rule(data=st.data(), seconds=st.sampled_from([0, 9, 14]))
    def a_send_goes_on(self, data: st.DataObject, seconds: float) -> None:
        """At once, or when too little of its lease remains, or hardly any."""
        self.ground.pass_time(seconds)
        self.ground.play(self.draw_move(data, self.ground.cast.busy(WORKERS)))

    @precondition(lambda self: self.ground.cast.busy(WORKERS))
    @rule(data=st.data(), in_a_transaction=st.booleans())
    def a_worker_dies_in_the_middle_of_a_send(self, data: st.DataObject, in_a_transaction: bool) -> None:
        move = self.draw_move(data, self.ground.cast.busy(WORKERS))
        if in_a_transaction:
            self.ground.play_and_die(move)
        else:
            self.ground.kill(move.who)

    @precondition(lambda self: self.ground.attempts_that_are(SENDING) and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), fate=fates, moves=how_far, old_goes_on=st.booleans())
    def a_lease_runs_out_and_a_worker_takes_over(
        self, data: st.DataObject, fate: Fate, moves: int, old_goes_on: bool
    ) -> None:
        """Whoever had the lease is gone, or stands still, and goes on at once or later."""
        move = self.draw_due_move(data, self.ground.attempts_that_are(SENDING), fate)
        self.ground.play(move)
        self.ground.play_on(move.who, fate, moves)
        for who in self.ground.overtaken() if old_goes_on else ():
            self.ground.play_on(who, Fate.ACCEPTED, MOVES_OF_A_SEND)

    @precondition(lambda self: self.ground.overtaken())
    @rule(data=st.data(), fate=at_the_end, moves=how_far)
    def one_that_was_overtaken_goes_on(self, data: st.DataObject, fate: Fate, moves: int) -> None:
        self.ground.play_on(data.draw(st.sampled_from(self.ground.overtaken()), "who"), fate, 1 + moves)

    # ---- two at a time: the first has the lock, and the second waits for it

    @precondition(lambda self: self.ground.running and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), answer_first=st.booleans(), fate=at_the_end)
    def what_is_due_meets_an_answer(self, data: st.DataObject, answer_first: bool, fate: Fate) -> None:
        move = self.draw_due_move(data, self.ground.live_keys(), fate)
        self.meets_an_answer(data, move, answer_first)

    @precondition(lambda self: self.ground.cast.busy(WORKERS))
    @rule(data=st.data(), answer_first=st.booleans())
    def a_send_that_goes_on_meets_an_answer(self, data: st.DataObject, answer_first: bool) -> None:
        move = self.draw_move(data, self.ground.cast.busy(WORKERS), meeting=True)
        self.meets_an_answer(data, move, answer_first)

    @precondition(lambda self: self.ground.running and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), due_first=st.booleans(), fate=at_the_end)
    def what_is_due_meets_the_other_worker(self, data: st.DataObject, due_first: bool, fate: Fate) -> None:
        """Who may be after the same row, or goes on with a send."""
        move = self.draw_due_move(data, self.ground.live_keys(), fate)
        others = [name for name in WORKERS if name != move.who]
        other = self.draw_move(data, others, meeting=True)
        self.ground.play_together(*((move, other) if due_first else (other, move)))

    @precondition(lambda self: self.ground.running and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), fate=at_the_end)
    def one_dies_with_its_transaction_open_and_another_does_it(self, data: st.DataObject, fate: Fate) -> None:
        move = self.draw_due_move(data, self.ground.live_keys(), fate)
        self.ground.play_and_die(move)
        self.ground.play(move)

    # ---- drawing

    def draw_move(self, data: st.DataObject, names: Collection[str], *, meeting: bool = False) -> Move:
        """Something that one of them can do now. In a meeting a send is one transaction at a time."""
        who = data.draw(st.sampled_from(list(names)), "who")
        if who == PERSON:
            return self.ground.cast.answers(data.draw(answers, "answer"))
        if self.ground.cast.busy([who]):
            return self.ground.cast.goes_on(who, data.draw(at_the_end, "fate"))
        keys = st.sampled_from(self.ground.live_keys() or self.ground.keys())
        key = data.draw(keys | st.sampled_from(self.ground.keys()), "key")
        return self.ground.cast.woken(who, key, data.draw(at_the_end if meeting else fates, "fate"))

    def draw_due_move(self, data: st.DataObject, keys: Sequence[Key], fate: Fate = Fate.ACCEPTED) -> Move:
        """Time passes until one of these rows is due, and its wake-up arrives at a worker."""
        key = data.draw(st.sampled_from(keys), "key")
        worker = self.draw_idle(data)
        self.ground.pass_time_until_due(key)
        return self.ground.cast.woken(worker, key, fate)

    def draw_idle(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.ground.cast.idle(WORKERS)), "worker")

    def meets_an_answer(self, data: st.DataObject, move: Move, answer_first: bool) -> None:
        answer = self.draw_move(data, [PERSON])
        self.ground.play_together(*((answer, move) if answer_first else (move, answer)))

    def teardown(self) -> None:
        self.ground.finish()


@pytest.fixture
def led(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services stop where they are told to, resolve to several, and do not throw dice."""
    for service in SERVICES_THAT_STOP:
        monkeypatch.setattr(f"alertops.services.{service}.reach", reach)
    monkeypatch.setattr("alertops.services.fire_step.resolve_recipient", resolve)
    monkeypatch.setattr("alertops.services.record_outcome._jitter.random", lambda: JITTER)


@pytest.mark.usefixtures("led")
def test_whatever_happens_every_row_is_as_the_machine_says_and_nothing_is_lost(
    world: World, sessions: sessionmaker[Session]
) -> None:
    profile = settings(
        settings.get_profile(PROFILE), deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(lambda: Histories(world, sessions), settings=profile)


@pytest.mark.usefixtures("led")
def test_what_comes_due_in_the_middle_of_a_move_is_held_against_its_end(
    world: World, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = Playground(world, sessions)
    recipient = {"type": "email", "email": "a@example.com"}
    retry = RetryPolicy(max_attempts=1, backoff_seconds=1)
    ground.start(Flow(nodes=numbered([Node("id", "name", recipient, delay_seconds=20, retry=retry)])))
    ground.pass_time_until_due(FIRST_STEP)
    clock, readings = ground.now, [world.steps(ground.execution)[0].due_at - timedelta(milliseconds=1)]
    monkeypatch.setattr(ground, "now", lambda: readings.pop() if readings else clock())
    ground.play(ground.cast.woken("A", FIRST_STEP, Fate.ACCEPTED))
    assert not readings
    assert ground.known.engine.steps[1].fired_at is not None
