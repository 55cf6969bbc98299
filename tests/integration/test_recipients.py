"""Whom a node tells is settled when its step fires: groups, roles, people's own ways and quiet hours."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import ChannelError
from alertops.db import database_now
from alertops.escalation.decision import Reason
from alertops.models import ContactMethods, Execution, Flow, Membership, Outsider, Team, User
from alertops.services import recipients
from alertops.services.acknowledge import acknowledge
from alertops.services.operate import By
from alertops.services.recipients import resolve_recipient
from alertops.services.resolution import MAX_TARGETS, Resolution, Why
from alertops.verify.history import within
from alertops.verify.promises import Verdict, judge_rows
from alertops.verify.read import read_histories
from tests.integration.joining import (
    becomes,
    by_mail,
    by_webhook,
    entries,
    joins,
    leaves,
    quiet_between,
    quiet_now,
    wants,
)
from tests.integration.world import World, node


def user(user_id: UUID) -> dict[str, Any]:
    return {"type": "user", "user_id": str(user_id)}


def mailbox(name: str) -> dict[str, Any]:
    return {"type": "email", "email": f"{name}@example.com"}


def role(name: str) -> dict[str, Any]:
    return {"type": "role", "role": name}


def group(*some: dict[str, Any]) -> dict[str, Any]:
    return {"type": "group", "recipients": list(some)}


def telling(world: World, recipient: dict[str, Any]) -> Flow:
    return world.flow(node("first", 0, recipient=recipient), node("second", 600))


def fired(world: World, recipient: dict[str, Any], severity: str = "warning") -> Execution:
    """An execution whose first node, which has this recipient, has fired."""
    execution = world.start(telling(world, recipient), severity=severity)
    assert world.fire(execution, 1) is Reason.DUE
    return execution


def told(world: World, execution: Execution) -> list[tuple[str, str]]:
    return [(attempt.channel, attempt.address) for attempt in world.attempts(execution)]


def resolved(world: World, recipient: dict[str, Any], in_seconds: float = 0, **about: Any) -> Resolution:
    at = database_now(world.session) + timedelta(seconds=in_seconds)
    about = {"severity": "warning", "confirmed_only": False, **about}
    return resolve_recipient(world.session, world.team.id, recipient, at=at, **about)


def verdict(world: World) -> Verdict:
    found = Verdict()
    world.session.rollback()
    for history in read_histories(world.session, within(timedelta(seconds=30))):
        judge_rows(found, history)
    return found


def test_those_of_a_group_are_told_together_each_under_a_number_of_their_own(world: World) -> None:
    ann = joins(world, "ann")
    hook = {"type": "webhook", "url": "https://hooks.example.org/team"}
    execution = fired(world, group(mailbox("x"), user(ann), hook, role("owner")))
    attempts = world.attempts(execution)
    assert [(a.target_number, a.channel, a.address) for a in attempts] == [
        (1, "email", "x@example.com"),
        (2, "email", "ann@example.org"),
        (3, "webhook", "https://hooks.example.org/team"),
        (4, "email", "owner@example.com"),
    ]
    assert len({attempt.due_at for attempt in attempts}) == 1
    for target in range(1, 5):
        world.send(execution, 1, target=target)
    assert len(world.channel.accepted) == 3
    assert len(world.webhook.accepted) == 1
    assert verdict(world).broken == []


def test_who_is_named_twice_in_a_step_is_told_once(world: World) -> None:
    ann = joins(world, "ann")
    execution = fired(world, group(role("member"), user(ann), {"type": "email", "email": "ANN@example.org"}))
    assert told(world, execution) == [("email", "ann@example.org")]
    (said,) = entries(world, execution, "step_fired")
    assert [(each["reason"], each["pointer"]) for each in said["left_out"]] == [
        ("told_already", "/recipient/recipients/1"),
        ("told_already", "/recipient/recipients/2"),
    ]


def test_one_of_a_group_who_cannot_be_reached_brings_nothing_forward_while_another_was(world: World) -> None:
    execution = fired(world, group(mailbox("x"), mailbox("y")))

    def refuse_x(notification: Any) -> None:
        if notification.address == "x@example.com":
            raise ChannelError("550 no such mailbox", permanent=True)

    world.channel.on_open = refuse_x
    assert world.send(execution, 1, target=1) is Reason.SETTLED
    assert world.send(execution, 1, target=2) is Reason.REACHED
    assert "step_brought_forward" not in world.events(execution)


def test_a_role_is_whoever_has_it_when_the_step_fires_in_the_order_of_joining(world: World) -> None:
    ann, ben, cleo = (joins(world, name) for name in ("ann", "ben", "cleo"))
    execution = world.start(telling(world, role("admin")))
    becomes(world, cleo, "admin")
    becomes(world, ann, "admin")
    dora = joins(world, "dora", "admin")
    leaves(world, dora)
    world.fire(execution, 1)
    attempts = world.attempts(execution)
    assert [(a.address, a.user_id) for a in attempts] == [
        ("ann@example.org", ann),
        ("cleo@example.org", cleo),
    ]
    assert ben not in {attempt.user_id for attempt in attempts}


def test_roles_and_people_of_another_team_are_nobody(world: World, session: Session) -> None:
    other, stranger = Team(name="Other"), User(email="stranger@example.org", name="x", password_hash="-")
    session.add_all([other, stranger])
    session.flush()
    session.add(Membership(team_id=other.id, user_id=stranger.id, role="admin"))
    session.commit()
    joins(world, "ann", "viewer")
    # Nor is somebody admin for being more, or less.
    assert resolved(world, role("admin")).nobody() == {"/recipient": {Why.NOBODY_WITH_ROLE}}
    assert resolved(world, user(stranger.id)).nobody() == {"/recipient": {Why.NOT_A_MEMBER}}
    execution = fired(world, role("admin"))
    assert entries(world, execution, "nobody_to_tell")[0]["reasons"] == ["nobody_with_role"]
    assert world.fire(execution, 2) is Reason.DUE


def test_of_many_with_a_role_as_many_are_told_as_a_step_may_and_the_rest_is_counted(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [User(email=f"m{n}@example.org", name="m", password_hash="-") for n in range(MAX_TARGETS + 7)]
    session.add_all(people)
    session.flush()
    session.add_all(Membership(team_id=world.team.id, user_id=each.id, role="member") for each in people)
    session.commit()
    monkeypatch.setattr(recipients, "MAX_MEMBERS", MAX_TARGETS + 3)
    execution = world.start(telling(world, role("member")))
    began = time.monotonic()
    world.fire(execution, 1)
    print(f"{MAX_TARGETS} of {MAX_TARGETS + 7} members told: fired in {time.monotonic() - began:.3f} s")
    assert len(world.attempts(execution)) == MAX_TARGETS
    (said,) = entries(world, execution, "step_fired")
    cut = [(each["reason"], each["count"]) for each in said["left_out"]]
    assert cut == [("too_many", 4), ("too_many", 3)]


def test_a_later_method_waits_for_its_time_counted_from_when_the_step_was_due(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(), by_webhook("ann", after=120))
    execution = world.start(telling(world, user(ann)))
    world.pass_time(execution, 15)
    world.fire(execution, 1)
    (step, _), attempts = world.steps(execution), world.attempts(execution)
    assert [(a.channel, a.due_at - step.due_at) for a in attempts] == [
        ("email", timedelta()),
        ("webhook", timedelta(seconds=120)),
    ]
    message = world.publisher.messages[-1]
    assert message.routing_key == "send.webhook"
    assert 104 < message.delay_seconds <= 105
    assert world.send(execution, 1, target=2) is Reason.EARLY
    world.pass_time(execution, 105)
    assert world.send(execution, 1, target=2) is Reason.REACHED
    assert [n.address for n in world.webhook.accepted] == ["https://hooks.example.org/ann"]


def test_who_answers_before_it_is_not_told_on_a_later_method(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(), by_webhook("ann", after=120))
    execution = fired(world, user(ann))
    world.send(execution, 1)
    acknowledge(world.session, world.dispatcher, execution.id, By(ann))
    world.pass_time(execution, 300)
    assert world.send(execution, 1, target=2) is Reason.STALE
    assert [attempt.status for attempt in world.attempts(execution)] == ["delivered", "cancelled"]
    assert world.webhook.accepted == []


def test_a_method_that_failed_brings_nothing_forward_while_a_later_one_waits(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(), by_webhook("ann", after=120))
    execution = fired(world, user(ann))

    def refuse(_: Any) -> None:
        raise ChannelError("550 no such mailbox", permanent=True)

    world.channel.on_open = world.webhook.on_open = refuse
    assert world.send(execution, 1, target=1) is Reason.SETTLED
    world.pass_time(execution, 120)
    assert world.send(execution, 1, target=2) is Reason.UNREACHED
    assert world.fire(execution, 2) is Reason.DUE


def test_the_last_step_is_not_over_before_its_later_methods_are(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(), by_webhook("ann", after=120))
    execution = world.start(world.flow(node("only", 0, recipient=user(ann))))
    world.fire(execution, 1)
    world.send(execution, 1)
    assert world.status(execution) == "running"
    world.pass_time(execution, 120)
    world.send(execution, 1, target=2)
    assert world.status(execution) == "exhausted"
    assert verdict(world).broken == []


def test_in_quiet_hours_a_method_is_passed_over_and_the_others_are_not(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(quiet=quiet_now(world)), by_webhook("ann", after=60))
    execution = fired(world, user(ann))
    assert told(world, execution) == [("webhook", "https://hooks.example.org/ann")]
    (said,) = entries(world, execution, "step_fired")
    assert said["targets"] == [
        {
            "target": 1,
            "channel": "webhook",
            "address": "https://hooks.example.org/…",
            "after_seconds": 60,
            "user_id": str(ann),
            "pointer": "/recipient",
        }
    ]
    assert said["left_out"] == [
        {
            "reason": "quiet",
            "user_id": str(ann),
            "channel": "email",
            "address": "ann@example.org",
            "count": 1,
            "pointer": "/recipient",
        }
    ]


def test_when_everything_is_quiet_the_next_node_fires_at_once_and_the_timeline_says_why(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(quiet=quiet_now(world)))
    execution = fired(world, user(ann))
    assert world.attempts(execution) == []
    assert world.events(execution) == ["started", "step_fired", "nobody_to_tell", "step_brought_forward"]
    assert entries(world, execution, "nobody_to_tell") == [{"node": "first", "reasons": ["quiet"]}]
    assert world.fire(execution, 2) is Reason.DUE
    assert verdict(world).broken == []


def test_what_is_critical_is_told_in_quiet_hours_when_they_say_so(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(quiet=quiet_now(world)))
    assert told(world, fired(world, user(ann), severity="critical")) == [("email", "ann@example.org")]


def test_quiet_is_judged_at_the_time_at_which_a_method_comes_due(world: World) -> None:
    ann = joins(world, "ann")
    soon = quiet_between(world, timedelta(hours=2), timedelta(hours=8))
    wants(world, ann, by_mail(quiet=soon), by_webhook("ann", after=4 * 3600, quiet=soon))
    assert [target.channel for target in resolved(world, user(ann)).targets] == ["email"]
    assert resolved(world, user(ann), in_seconds=3 * 3600).nobody() == {"/recipient": {Why.QUIET}}
    assert [t.channel for t in resolved(world, user(ann), in_seconds=5 * 3600).targets] == ["webhook"]


def test_a_step_that_fires_late_is_quiet_or_not_as_of_when_it_was_due(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(quiet=quiet_between(world, timedelta(hours=-1), timedelta(hours=6))))
    execution = world.start(telling(world, user(ann)), severity="warning")
    world.pass_time(execution, 3 * 3600)
    world.fire(execution, 1)
    assert told(world, execution) == [("email", "ann@example.org")]
    # Which is late, and is said to be; but its attempts have only just begun.
    assert {sentence.partition(":")[0] for sentence in verdict(world).broken} == {"fired", "not late"}


def test_who_leaves_after_the_step_has_fired_is_not_told_by_what_still_waits(world: World) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(), by_webhook("ann", after=120))
    execution = fired(world, group(user(ann), mailbox("x")))
    world.send(execution, 1, target=1)
    leaves(world, ann)
    world.pass_time(execution, 120)
    assert world.send(execution, 1, target=2) is not Reason.STALE
    assert world.send(execution, 1, target=3) is Reason.REACHED
    assert world.webhook.accepted == []
    refused = world.attempts(execution)[1]
    assert (refused.status, refused.detail) == ("failed", "the member has left the team")


def test_a_retry_of_somebodys_is_still_theirs(world: World) -> None:
    ann = joins(world, "ann")
    execution = fired(world, user(ann))

    def refuse(_: Any) -> None:
        raise ChannelError("450 later")

    world.channel.on_open = refuse
    assert world.send(execution, 1) is Reason.RETRY
    assert [attempt.user_id for attempt in world.attempts(execution)] == [ann, ann]
    leaves(world, ann)
    world.pass_time(execution, 20)
    assert world.send(execution, 1, 2) is Reason.UNREACHED


def test_an_account_that_is_deleted_takes_its_methods_along_and_is_told_nothing(
    world: World, session: Session
) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_webhook("ann"))
    execution = world.start(telling(world, group(user(ann), mailbox("x"))))
    session.execute(delete(User).where(User.id == ann))
    session.commit()
    assert session.scalar(select(func.count()).select_from(ContactMethods)) == 0
    world.fire(execution, 1)
    assert told(world, execution) == [("email", "x@example.com")]
    (said,) = entries(world, execution, "step_fired")
    assert [(each["reason"], each["user_id"]) for each in said["left_out"]] == [("not_a_member", str(ann))]


def test_one_of_a_group_who_has_stopped_the_alerts_is_left_out_and_said(
    world: World, session: Session
) -> None:
    stopped = Outsider(team_id=world.team.id, address="x@example.com", stopped_at=func.clock_timestamp())
    session.add(stopped)
    session.commit()
    execution = fired(world, group(mailbox("x"), mailbox("y")))
    assert told(world, execution) == [("email", "y@example.com")]
    assert entries(world, execution, "address_refused") == [{"address": "x@example.com", "reason": "stopped"}]


def test_asking_whom_a_node_would_tell_writes_nothing(world: World, session: Session) -> None:
    recipient = group(mailbox("new"), user(uuid4()))
    asked = resolved(world, recipient)
    assert [target.outsider_id for target in asked.targets] == [None]
    assert asked.nobody() == {"/recipient/recipients/1": {Why.NOT_A_MEMBER}}
    cautious = resolved(world, recipient, confirmed_only=True).nobody()
    assert cautious["/recipient/recipients/0"] == {Why.UNCONFIRMED}
    session.commit()
    assert session.scalar(select(func.count()).select_from(Outsider)) == 0
    fired(world, recipient)
    assert session.scalar(select(func.count()).select_from(Outsider)) == 1


def test_methods_that_are_changed_while_a_step_fires_are_the_old_ones_or_the_new_whole(
    world: World, sessions: sessionmaker[Session]
) -> None:
    ann = joins(world, "ann")
    wants(world, ann, by_mail(), by_webhook("old", after=60))
    flow = telling(world, user(ann))
    first, second = world.start(flow), world.start(flow)
    with sessions() as editor:
        methods = editor.get_one(ContactMethods, ann)
        methods.methods = [by_webhook("new"), by_mail(after=30)]
        editor.flush()
        # Neither waits for the other.
        world.fire(first, 1)
        editor.commit()
    world.fire(second, 1)
    assert told(world, first) == [("email", "ann@example.org"), ("webhook", "https://hooks.example.org/old")]
    assert told(world, second) == [("webhook", "https://hooks.example.org/new"), ("email", "ann@example.org")]


def test_the_checker_finds_a_target_that_a_group_does_not_name(world: World) -> None:
    execution = fired(world, group(mailbox("x"), mailbox("y")))
    assert verdict(world).broken == []
    world.attempts(execution)[1].address = "z@example.com"
    world.session.commit()
    (broken,) = verdict(world).broken
    assert (
        broken
        == f"addressed: step 1 of {execution.id} is for x@example.com, y@example.com, and told z@example.com"
    )
