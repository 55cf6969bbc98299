"""The real services on a real Postgres, driven through made-up histories, and held against the pure machine.

Two workers and a person do what they may do in any order. Every transaction is a move of its own, so a
worker stands still between two of them while others act on the same rows: claimed and not yet marked,
marked and not transmitted, transmitted and not recorded. It goes on late, after its lease has run out or
was taken by the other, or it dies. Two transactions also meet: one is stopped with the row locked, the
other waits for it. After each move every row is as the machine says (`tests/stateful`); and at the end of
each history recovery alone, by the wake-ups that it dispatches, brings the execution to its end.

In the suite the histories are always the same few hundred moves. `HYPOTHESIS_PROFILE=deep` plays 3,000
longer ones, new each time::

    HYPOTHESIS_PROFILE=deep python -m pytest tests/integration/test_stateful.py
"""

from __future__ import annotations

import os
from collections.abc import Collection
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
from tests.integration.world import World
from tests.stateful.moves import PERSON, WORKERS, Move
from tests.stateful.oracle import JITTER, Fate
from tests.stateful.outside import Mood, resolve
from tests.stateful.playground import Playground
from tests.stateful.strands import reach

SERVICES_THAT_STOP = ("answer", "claim_attempt", "fire_step", "record_outcome", "send_attempt")

settings.register_profile("suite-stateful", max_examples=20, stateful_step_count=25, derandomize=True)
settings.register_profile("deep", max_examples=3000, stateful_step_count=60)
PROFILE = "deep" if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else "suite-stateful"

recipients = st.sampled_from(
    [
        {"type": "email", "email": "a@example.com"},
        {"type": "user", "user_id": str(uuid4())},  # who is in no team: nobody
        {"type": "several", "targets": 2},
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
                RetryPolicy, max_attempts=st.integers(1, 3), backoff_seconds=st.sampled_from([1, 10])
            ),
            on_failure=st.sampled_from(OnFailure),
            on_unknown=st.sampled_from(OnUnknown),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    repeat=st.integers(0, 1),
)
fates = st.sampled_from(Fate)
at_the_end = st.sampled_from([fate for fate in Fate if not fate.at_opening])


class Histories(RuleBasedStateMachine):
    def __init__(self, world: World, sessions: sessionmaker[Session]) -> None:
        super().__init__()
        self.ground = Playground(world, sessions)

    @initialize(flow=flows)
    def an_alert_comes_in(self, flow: Flow) -> None:
        self.ground.start(flow)

    # ---- time

    @rule(seconds=st.sampled_from([1, 6, 9, 11, 16, 61, 301]))
    def time_passes(self, seconds: float) -> None:
        self.ground.pass_time(seconds)

    @precondition(lambda self: self.ground.running)
    @rule()
    def time_passes_until_something_is_due(self) -> None:
        self.ground.pass_time(self.ground.until_next_wake_up())

    # ---- one at a time

    @rule(data=st.data())
    def somebody_does_something(self, data: st.DataObject) -> None:
        self.ground.play(self.draw_move(data, (*WORKERS, PERSON)))

    @precondition(lambda self: self.ground.cast.busy(WORKERS))
    @rule(data=st.data())
    def a_send_goes_on(self, data: st.DataObject) -> None:
        self.ground.play(self.draw_move(data, self.ground.cast.busy(WORKERS)))

    @precondition(lambda self: self.ground.broker.messages and self.ground.cast.idle(WORKERS))
    @rule(data=st.data(), keep=st.booleans())
    def a_message_arrives_perhaps_not_for_the_last_time(self, data: st.DataObject, keep: bool) -> None:
        message = data.draw(st.sampled_from(self.ground.broker.messages), "message")
        if not keep:
            self.ground.broker.messages.remove(message)
        worker = data.draw(st.sampled_from(self.ground.cast.idle(WORKERS)), "worker")
        self.ground.play(self.ground.cast.woken_by(message, worker, data.draw(fates, "fate")))

    @precondition(lambda self: self.ground.cast.busy(WORKERS))
    @rule(data=st.data())
    def a_worker_dies_in_the_middle_of_a_send(self, data: st.DataObject) -> None:
        self.ground.kill(data.draw(st.sampled_from(self.ground.cast.busy(WORKERS)), "worker"))

    # ---- two at a time

    @rule(data=st.data())
    def two_meet_and_the_second_waits_for_the_first(self, data: st.DataObject) -> None:
        first = self.draw_move(data, (*WORKERS, PERSON), meeting=True)
        others = [name for name in (*WORKERS, PERSON) if name != first.who]
        self.ground.play_together(first, self.draw_move(data, others, meeting=True))

    @rule(data=st.data())
    def one_dies_with_its_transaction_open(self, data: st.DataObject) -> None:
        self.ground.play_and_die(self.draw_move(data, (*WORKERS, PERSON), meeting=True))

    # ---- the broker

    @rule(mood=st.sampled_from(Mood))
    def the_broker_changes(self, mood: Mood) -> None:
        self.ground.set_broker(mood)

    @rule()
    def the_broker_is_emptied_and_recovery_fills_it(self) -> None:
        self.ground.empty_broker_and_recover()

    @rule()
    def recovery_runs(self) -> None:
        self.ground.recover()

    def draw_move(self, data: st.DataObject, names: Collection[str], *, meeting: bool = False) -> Move:
        """Something that one of them can do now. In a meeting a send is one transaction at a time."""
        who = data.draw(st.sampled_from(list(names)), "who")
        if who == PERSON:
            return self.ground.cast.answers(data.draw(st.sampled_from([Acknowledge(), Resolve()]), "answer"))
        if self.ground.cast.busy([who]):
            return self.ground.cast.goes_on(who, data.draw(at_the_end, "fate"))
        key = data.draw(st.sampled_from(self.ground.keys()), "key")
        return self.ground.cast.woken(who, key, data.draw(at_the_end if meeting else fates, "fate"))

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
