"""Events out: what happens to executions reaches whoever has subscribed to it; all of it, and in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.orm import Session

from alertops.channels.event_body import Event
from alertops.escalation.states import ExecutionStatus
from alertops.models import EventDelivery, Team, TimelineEntry
from alertops.models.timeline import EVENTS
from alertops.services.acknowledge import acknowledge
from alertops.services.deliveries.host_places import PLACES, SHORTEST_SECONDS
from alertops.services.deliveries.record_delivery import GIVEN_UP_AFTER, LONGEST_ASKED
from alertops.services.deliveries.send_delivery import Outlet
from alertops.services.deliveries.standing import Told
from alertops.services.dispatch import EVENT_QUEUE, SEND_DELIVERY
from alertops.services.end_executions import end_executions
from alertops.services.operate import By
from alertops.services.resolve import resolve
from alertops.services.retention.over import DELIVERIES_KEPT
from alertops.services.timeline import tell
from tests.acceptance.alerts import until
from tests.integration.raw_http import TAKEN, answer, raw_receiver, silence
from tests.integration.recovering import Markers, Queues, Sessions, runner
from tests.integration.subscribing import (
    Dying,
    Post,
    WorkerKilledError,
    bodies,
    deliveries,
    let_pass,
    note,
    refreshed,
    started,
    states,
    subscribe,
    told,
)
from tests.integration.test_prune import prune_all
from tests.integration.world import Broker, World, down, node

NOWHERE = "https://hooks.example.com/secret-path"


def test_a_subscriber_is_told_all_that_happens_in_its_order(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        subscribe(world, receiver.url())
        execution = world.start(world.flow(node("a", 0), node("b", 600)), "disk-1")
        world.fire(execution, 1)
        world.send(execution, 1)
        acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id, note="mine"))
        resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
        assert Post(world).run()
    assert told(receiver) == world.events(execution)
    assert told(receiver) == ["started", "step_fired", "attempt_delivered", "acknowledged", "resolved"]
    statuses = [body["data"]["status"] for body in bodies(receiver)]
    assert statuses == ["running", "running", "running", "acknowledged", "resolved"]
    assert set(states(world)) == {"delivered"}


def test_the_body_says_what_the_timeline_says(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        subscribe(world, receiver.url(), events=["acknowledged"])
        execution = world.start(world.flow(node("a", 600)), "disk-1")
        acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id, note="mine"))
        Post(world).run()
    entry = world.session.scalars(select(TimelineEntry).where(TimelineEntry.event == "acknowledged")).one()
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    here = f"https://alertops.test/api/v1/executions/{execution.id}"
    assert bodies(receiver) == [
        {
            "type": "execution.acknowledged",
            "timestamp": at,
            "version": 1,
            "data": {
                "execution_id": str(execution.id),
                "team_id": str(world.team.id),
                "flow_id": str(execution.flow_id),
                "status": "acknowledged",
                "summary": "Disk is full",
                "severity": "critical",
                "dedup_key": "disk-1",
                "position": entry.id,
                "event": "acknowledged",
                "step": None,
                "target": None,
                "attempt": None,
                "actor_id": str(world.owner.id),
                "detail": {"came_from": "running", "note": "mine"},
                "links": {"execution": here, "timeline": f"{here}/timeline"},
            },
        }
    ]
    [delivery] = deliveries(world)
    assert receiver.requests[0].headers["webhook-id"] == str(delivery.id)


def test_the_state_is_that_of_the_event_also_where_it_is_told_before_it_is_true(world: World) -> None:
    subscribe(world, NOWHERE)
    execution = started(world)
    end_executions(world.session, [execution.id], ExecutionStatus.RESOLVED, world.owner.id)
    world.session.commit()
    assert [delivery.execution_status for delivery in deliveries(world)] == ["running", "resolved"]


def test_nothing_is_written_for_what_nobody_has_asked_for(world: World) -> None:
    other = Team(name="Another")
    world.session.add(other)
    world.session.flush()
    subscribe(world, NOWHERE, events=["resolved", "exhausted"])
    subscribe(world, NOWHERE, enabled=False)
    subscribe(world, NOWHERE, team_id=other.id)
    execution = started(world)
    acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert deliveries(world) == []
    assert [m for m in world.publisher.messages if m.task == SEND_DELIVERY] == []
    resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
    assert [delivery.execution_status for delivery in deliveries(world)] == ["resolved"]


def test_what_is_undone_is_told_to_nobody(world: World) -> None:
    subscribe(world, NOWHERE)
    execution = started(world)
    before = len(world.publisher.messages)
    tell(world.session, execution.id, "note", text="never mind")
    world.session.rollback()
    world.dispatcher.dispatch(world.session, [])
    assert len(deliveries(world)) == 1
    assert len(world.publisher.messages) == before


def test_more_than_driver_keeps_of_messages_are_woken(world: World) -> None:
    """psycopg2 keeps fifty."""
    subscribe(world, NOWHERE)
    execution = started(world)
    for number in range(120):
        tell(world.session, execution.id, "note", text=str(number))
    world.session.commit()
    world.dispatcher.dispatch(world.session, [])
    woken = [m.args[0] for m in world.publisher.messages if m.task == SEND_DELIVERY]
    assert woken == [str(delivery.id) for delivery in deliveries(world)]
    assert {m.routing_key for m in world.publisher.messages if m.task == SEND_DELIVERY} == {EVENT_QUEUE}
    assert all(delivery.dispatched_at for delivery in deliveries(world))


def test_a_server_that_tells_its_clients_nothing_but_errors_tells_this(world: World) -> None:
    subscribe(world, NOWHERE, events=["note"])
    execution = started(world)
    world.session.execute(text("SET LOCAL client_min_messages = 'error'"))
    tell(world.session, execution.id, "note", text="quietly")
    world.session.commit()
    world.dispatcher.dispatch(world.session, [])
    assert [m.task for m in world.publisher.messages].count(SEND_DELIVERY) == 1


def test_a_subscriber_that_was_down_gets_all_twenty_in_order_when_it_is_back(world: World) -> None:
    texts = [f"change {number}" for number in range(20)]
    with raw_receiver(answer("503 Busy"), answer("500 Oops"), None, TAKEN) as receiver:
        subscribe(world, receiver.url(), events=["note"])
        execution, post = started(world), Post(world)
        for words in texts:
            note(world, execution, words)
            post.run()
        # One was tried, and the others wait behind it without another word to the receiver.
        assert len(receiver.requests) == 1
        outcomes = [post.wait(2 * 3600)[0] for _ in range(3)]
    assert outcomes == [Told.FAILED, Told.FAILED, Told.DELIVERED]
    assert told(receiver) == [texts[0]] * 3 + texts
    assert len({request.headers["webhook-id"] for request in receiver.requests[:4]}) == 1
    assert len({request.body for request in receiver.requests[:4]}) == 1
    assert states(world) == ["delivered"] * 20


@pytest.mark.parametrize("moment", ["while it is sent", "just before its end is committed"])
def test_whoever_comes_while_the_one_before_is_not_over_is_woken_by_its_end(
    world: World, sessions: Sessions, moment: str
) -> None:
    with raw_receiver(TAKEN) as receiver:
        subscribe(world, receiver.url(), events=["note"])
        execution, post = started(world), Post(world)
        note(world, execution, "first")
        came: list[Told] = []

        def another_comes() -> None:
            """Committed, and its wake-up worked on."""
            with sessions() as another:
                tell(another, execution.id, "note", text="second")
                another.commit()
                world.dispatcher.dispatch(another, [])
                came.extend(post.send(UUID(str(m.args[0])), another) for m in post.wake_ups())

        posting = post.outlet.channel.open_event

        def post_it(told_of: Event, **more: Any) -> Any:
            if moment == "while it is sent" and not came:
                another_comes()
            return posting(told_of, **more)

        @event.listens_for(world.session, "before_commit")
        def before_commit(_: Session) -> None:
            if receiver.requests and not came:
                another_comes()

        [first] = post.wake_ups()
        post.outlet = Outlet(SimpleNamespace(open_event=post_it), post.outlet.places)
        assert post.send(UUID(str(first.args[0]))) is Told.DELIVERED
        event.remove(world.session, "before_commit", before_commit)
        assert came == [Told.BEHIND]
        assert post.run() == [Told.DELIVERED]
    assert told(receiver) == ["first", "second"]


def test_a_wake_up_that_comes_much_too_early_makes_no_other_one(world: World) -> None:
    """Of those who end a line's first, and of its own, the second may find it put off by the first."""
    with raw_receiver(answer("503 Busy")) as receiver:
        subscribe(world, receiver.url(), events=["started"])
        started(world)
        post = Post(world)
        [delivery] = deliveries(world)
        assert post.run() == [Told.FAILED]
        before = len(world.publisher.messages)
        assert post.send(delivery.id) is Told.EARLY
        assert len(world.publisher.messages) == before
        soon = func.clock_timestamp() + timedelta(seconds=1)
        world.session.execute(update(EventDelivery).values(due_at=soon))
        world.session.commit()
        assert post.send(delivery.id) is Told.EARLY
        assert [m.args for m in world.publisher.messages[before:]] == [(str(delivery.id),)]


def test_executions_do_not_wait_for_each_other(world: World) -> None:
    with raw_receiver(answer("503 Busy"), TAKEN) as receiver:
        subscribe(world, receiver.url(), events=["started"])
        started(world), started(world)
        assert Post(world).run() == [Told.FAILED, Told.DELIVERED]
    assert states(world) == ["scheduled", "delivered"]


def test_a_sender_that_is_killed_after_the_answer_is_followed_by_another_with_the_same_id(
    world: World, sessions: Sessions
) -> None:
    with raw_receiver(TAKEN) as receiver:
        subscribe(world, receiver.url(), events=["note"])
        execution = started(world)
        note(world, execution, "first")
        note(world, execution, "second")
        dying = Post(world, Dying())
        first, second = deliveries(world)
        with pytest.raises(WorkerKilledError):
            dying.send(first.id)
        world.session.rollback()
        # The lease of the dead is not over: nobody sends either of them.
        assert [dying.send(one.id) for one in (first, second)] == [Told.NOTHING, Told.BEHIND]
        let_pass(world, world.timing.lease + 6)
        post = Post(world)
        post.wake_ups()
        runner(sessions, world, Markers())()
        assert [UUID(str(m.args[0])) for m in post.wake_ups()] == [first.id]
        assert post.send(first.id) is Told.DELIVERED
        post.run()
    assert told(receiver) == ["first", "first", "second"]
    assert len({request.headers["webhook-id"] for request in receiver.requests[:2]}) == 1
    assert receiver.requests[0].body == receiver.requests[1].body


def test_a_sender_that_comes_back_after_its_lease_records_nothing(world: World, sessions: Sessions) -> None:
    with raw_receiver(answer("503 Busy"), TAKEN) as receiver:
        subscribe(world, receiver.url(), events=["note"])
        execution, post = started(world), Post(world)
        note(world, execution, "first")
        [delivery] = deliveries(world)
        original = post.outlet.channel.open_event
        taken_over: list[Told] = []

        class Frozen:
            def open_event(self, event: Any, **more: Any) -> Any:
                if not taken_over:
                    taken_over.append(Told.LOST)
                    with sessions() as another:
                        another.execute(
                            update(EventDelivery).values(lease_until=datetime(2000, 1, 1, tzinfo=UTC))
                        )
                        another.commit()
                        taken_over.append(post.send(delivery.id, another))
                return original(event, **more)

        post.outlet = Outlet(Frozen(), post.outlet.places)
        assert post.send(delivery.id) is Told.LOST
    assert taken_over == [Told.LOST, Told.FAILED]
    [delivery] = deliveries(world)
    assert (delivery.status, delivery.tries) == ("scheduled", 2)


def test_wake_ups_that_were_lost_are_repaired_and_those_behind_another_are_none(
    world: World, sessions: Sessions, broker: Broker
) -> None:
    subscribe(world, NOWHERE, events=["note"])
    execution = started(world)
    run = runner(sessions, world, Markers(), Queues({EVENT_QUEUE: 0}))
    run()
    broker.on_publish = down
    note(world, execution, "first")
    note(world, execution, "second")
    broker.on_publish = lambda messages: [True] * len(messages)
    let_pass(world, 6)
    recovered = run()
    assert recovered is not None
    assert recovered.never_dispatched == 1
    # Dispatched by then, and its message is lost, too.
    let_pass(world, 6)
    recovered = run()
    assert recovered is not None
    assert recovered.overdue == 1
    first, _ = deliveries(world)
    assert [m.args for m in broker.taken if m.task == SEND_DELIVERY] == [(str(first.id),)] * 2


def test_an_emptied_broker_is_filled_with_them(world: World, sessions: Sessions, broker: Broker) -> None:
    subscribe(world, NOWHERE, events=["note"])
    note(world, started(world), "first")
    before = [m for m in broker.taken if m.task == SEND_DELIVERY]
    runner(sessions, world, Markers())()
    again = [m for m in broker.taken if m.task == SEND_DELIVERY]
    assert again == before * 2


def test_a_receiver_that_is_gone_disables_the_subscription_and_what_waits_is_dropped(world: World) -> None:
    with raw_receiver(answer("410 Gone", body=b"moved away"), TAKEN) as receiver:
        subscription = subscribe(world, receiver.url("/secret-path"), events=["note"])
        execution, post = started(world), Post(world)
        for words in ("first", "second", "third"):
            note(world, execution, words)
        assert post.run()[0] is Told.GONE
        assert states(world) == ["failed", "cancelled", "cancelled"]
        shown = refreshed(world, subscription)
        assert (shown.enabled, shown.given_up) == (False, 1)
        assert shown.disabled_because == "The receiver is gone: 410 Gone: moved away"
        note(world, execution, "while it was disabled")
        subscription.enabled, subscription.disabled_because = True, None
        world.session.commit()
        note(world, execution, "back")
        assert post.run() == [Told.DELIVERED]
    assert told(receiver) == ["first", "back"]


def test_what_has_failed_for_a_day_is_given_up_and_the_next_goes_on(world: World) -> None:
    with raw_receiver(answer("400 I do not like it"), answer("400 I do not like it"), TAKEN) as receiver:
        subscription = subscribe(world, receiver.url(), events=["note"])
        execution, post = started(world), Post(world)
        note(world, execution, "bad")
        note(world, execution, "good")
        assert post.run()[0] is Told.FAILED
        waiting = refreshed(world, subscription)
        assert (waiting.given_up, waiting.last_failure) == (0, "400 I do not like it")
        assert post.wait(GIVEN_UP_AFTER.total_seconds() + 1)[0] is Told.GIVEN_UP
    assert told(receiver) == ["bad", "bad", "good"]
    assert states(world) == ["failed", "delivered"]
    after = refreshed(world, subscription)
    assert after.given_up == 1
    assert after.last_failure_at is not None
    assert after.last_success_at is not None
    assert after.last_success_at >= after.last_failure_at


@pytest.mark.parametrize(
    ("asked", "at_least"), [("600", 600), ("604800", LONGEST_ASKED.total_seconds()), ("1", 4)]
)
def test_a_receiver_that_asks_for_a_pause_gets_it_up_to_an_hour(
    world: World, asked: str, at_least: float
) -> None:
    with raw_receiver(answer("503 Busy", f"Retry-After: {asked}")) as receiver:
        subscribe(world, receiver.url(), events=["started"])
        started(world)
        Post(world).run()
    [delivery] = deliveries(world)
    pause = (delivery.due_at - delivery.created_at).total_seconds()
    assert at_least <= pause <= at_least + 10
    [later] = [m for m in world.publisher.messages if m.task == SEND_DELIVERY and m.delay_seconds]
    assert at_least - 1 <= later.delay_seconds <= at_least + 1


def test_a_subscription_that_is_deleted_is_told_nothing_more(world: World) -> None:
    with raw_receiver(TAKEN) as receiver:
        subscription = subscribe(world, receiver.url(), events=["note"])
        execution, post = started(world), Post(world)
        note(world, execution, "first")
        note(world, execution, "second")
        world.session.delete(subscription)
        world.session.commit()
        note(world, execution, "third")
        assert post.run()[0] is Told.UNWANTED
    assert receiver.requests == []
    assert states(world) == ["cancelled", "cancelled"]


def test_whoever_deletes_a_subscription_makes_no_event_wait(world: World, sessions: Sessions) -> None:
    subscription = subscribe(world, NOWHERE)
    execution = started(world)
    with sessions() as another:
        another.delete(another.merge(subscription))
        another.flush()
        note(world, execution, "told in between")
        another.commit()
    assert len(deliveries(world)) == 2


def test_a_host_that_hangs_keeps_some_threads_and_not_those_of_another(
    world: World, sessions: Sessions
) -> None:
    """It is given more than it has places for. What has no place is put off at once, and comes back."""
    with (
        raw_receiver(silence, host="127.0.0.2") as hangs,
        raw_receiver(TAKEN) as well,
        ThreadPoolExecutor(PLACES) as pool,
    ):
        hanging, fine = subscribe(world, hangs.url(), events=["started"]), subscribe(world, well.url())
        for _ in range(PLACES + 2):
            started(world)
        world.timing = replace(world.timing, send_deadline=4)
        post = Post(world)
        post.wake_ups()
        slow = [one.id for one in deliveries(world) if one.subscription_id == hanging.id]
        quick = [one.id for one in deliveries(world) if one.subscription_id == fine.id]

        def send(delivery_id: UUID) -> Told:
            with sessions() as session:
                return post.send(delivery_id, session)

        hung = [pool.submit(send, one) for one in slow[:PLACES]]
        until(lambda: len(hangs.requests) == PLACES, within=10, what="a hang in every place")
        assert [post.send(one) for one in slow[PLACES:]] == [Told.AWAY] * 2
        assert [post.send(one) for one in quick] == [Told.DELIVERED] * len(quick)
        assert not any(one.done() for one in hung)
        assert {one.result() for one in hung} == {Told.FAILED}
    assert len(hangs.requests) == PLACES
    put_off = [one for one in deliveries(world) if one.id in slow[PLACES:]]
    assert [(one.status, one.tries) for one in put_off] == [("scheduled", 0)] * 2
    waits = [m.delay_seconds for m in world.publisher.messages if UUID(str(m.args[0])) in slow[PLACES:]]
    assert min(sorted(waits)[-2:]) == pytest.approx(SHORTEST_SECONDS, abs=0.05)


def test_another_teams_subscriber_is_told_nothing(world: World, session: Session) -> None:
    other = Team(name="Another")
    session.add(other)
    session.flush()
    with raw_receiver(TAKEN) as ours, raw_receiver(TAKEN) as theirs:
        subscribe(world, ours.url())
        subscribe(world, theirs.url(), team_id=other.id)
        execution = started(world)
        acknowledge(world.session, world.dispatcher, execution.id, By(world.owner.id))
        Post(world).run()
    assert told(ours) == ["started", "acknowledged"]
    assert theirs.requests == []


def test_what_was_told_is_kept_for_a_week_and_what_is_still_to_be_told_keeps_its_execution(
    world: World, session: Session
) -> None:
    with raw_receiver(TAKEN, answer("503 Busy")) as receiver:
        subscribe(world, receiver.url(), events=["started", "resolved"])
        execution = started(world)
        resolve(world.session, world.dispatcher, execution.id, By(world.owner.id))
        assert Told.FAILED in Post(world).run()
    week = DELIVERIES_KEPT.total_seconds()
    world.pass_time(execution, week - 60)
    assert prune_all(session, timedelta(days=1)) == {}
    world.pass_time(execution, 120)
    assert prune_all(session, timedelta(days=1)) == {"event deliveries": 1}
    assert states(world) == ["scheduled"]
    session.execute(update(EventDelivery).values(status="cancelled", finished_at=func.now()))
    session.commit()
    assert prune_all(session, timedelta(days=1)) == {"executions": 1}
    assert deliveries(world) == []


def test_every_state_that_an_execution_can_take_is_an_event() -> None:
    assert {status.value for status in ExecutionStatus} - {"running"} <= set(EVENTS)
