"""Whom a step tells: each address once, at its earliest, a bounded number; and who is left out is said."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertops.escalation.recipients import addresses_named, singles
from alertops.services.resolution import (
    MAX_NAMED,
    MAX_TARGETS,
    SENTENCES,
    Found,
    LeftOut,
    Resolution,
    Target,
    Why,
    resolution_of,
)

ANN, BEN = uuid4(), uuid4()


def mail(address: str, after: int = 0, pointer: str = "/recipient", user: UUID | None = None) -> Found:
    return Found(pointer, Target("email", address, after_seconds=after, user_id=user))


def hook(url: str, after: int = 0, pointer: str = "/recipient") -> Found:
    return Found(pointer, Target("webhook", url, after_seconds=after))


def told(resolution: Resolution) -> list[tuple[str, int]]:
    return [(target.address, target.after_seconds) for target in resolution.targets]


def test_targets_keep_the_order_of_the_recipients_and_of_their_methods() -> None:
    resolution = resolution_of([mail("b@x", 300), mail("a@x"), hook("https://x/", 60)])
    assert told(resolution) == [("b@x", 300), ("a@x", 0), ("https://x/", 60)]
    assert resolution.left_out == ()


def test_an_address_is_told_once_whatever_its_case_and_the_earlier_one_counts() -> None:
    resolution = resolution_of([mail("Ann@x", 60, "/0"), mail("b@x", 0, "/1"), mail("ann@X", 30, "/2", ANN)])
    assert told(resolution) == [("ann@X", 30), ("b@x", 0)]
    assert resolution.left_out == (LeftOut("/0", Why.TOLD_ALREADY, None, "email", "Ann@x"),)


def test_urls_that_differ_in_case_are_two() -> None:
    assert len(resolution_of([hook("https://x/A"), hook("https://x/a")]).targets) == 2


def test_one_that_is_two_peoples_is_still_told_when_one_of_them_leaves() -> None:
    of_ann, of_both = mail("a@x", user=ANN), resolution_of([mail("a@x", user=ANN), mail("a@x", user=BEN)])
    assert resolution_of([of_ann, of_ann]).targets[0].user_id == ANN
    assert of_both.targets[0].user_id is None


def test_one_that_can_be_stopped_still_can_when_it_is_told_for_something_else_too() -> None:
    row = uuid4()
    outsider = Found("/0", Target("email", "a@x", row))
    for parts in ([outsider, mail("a@x", user=ANN)], [mail("a@x", user=ANN), outsider]):
        assert resolution_of(parts).targets[0].outsider_id == row


def test_of_too_many_the_earliest_are_told_and_the_others_counted() -> None:
    later = [mail(f"later{n}@x", 60, "/0") for n in range(MAX_TARGETS)]
    at_once = [mail(f"now{n}@x", 0, "/1") for n in range(MAX_TARGETS - 2)]
    resolution = resolution_of(later + at_once)
    assert len(resolution.targets) == MAX_TARGETS
    assert [target.address for target in resolution.targets[:2]] == ["later0@x", "later1@x"]
    assert resolution.left_out == (LeftOut("/0", Why.TOO_MANY, count=MAX_TARGETS - 2),)


parts = st.lists(
    st.builds(
        lambda name, after, place: mail(f"{name}@x", after, f"/{place}"),
        st.text("abcDE", min_size=1, max_size=2),
        st.sampled_from([0, 60, 120]),
        st.integers(0, 3),
    ),
    max_size=80,
)


@given(parts)
def test_everybody_is_told_or_left_out_and_nobody_twice(found: list[Found]) -> None:
    resolution = resolution_of(found)
    assert len(resolution.targets) + sum(each.count for each in resolution.left_out) == len(found)
    assert len({target.identity for target in resolution.targets}) == len(resolution.targets) <= MAX_TARGETS
    for target in resolution.targets:
        alike = [each.target.after_seconds for each in found if each.target.identity == target.identity]
        assert target.after_seconds == min(alike)


def test_a_recipient_that_comes_to_nobody_says_why() -> None:
    resolution = resolution_of(
        [
            mail("a@x", 0, "/0", ANN),
            LeftOut("/0", Why.QUIET, ANN, "webhook", "https://x/…"),
            LeftOut("/1", Why.QUIET, BEN, "email", "b@x"),
            LeftOut("/1", Why.TOO_MANY, count=3),
            mail("A@x", 0, "/2"),
        ]
    )
    assert resolution.nobody() == {"/1": {Why.QUIET, Why.TOO_MANY}}
    assert set(SENTENCES) == set(Why)


def test_a_timeline_tells_numbers_and_hides_what_a_url_is_secret_for() -> None:
    resolution = resolution_of(
        [
            Found("/recipient", Target("webhook", "https://user.example/secret?key=1", None, 120, ANN)),
            LeftOut("/recipient", Why.QUIET, ANN, "email", "a@x"),
        ]
    )
    assert resolution.as_json() == {
        "targets": [
            {
                "target": 1,
                "channel": "webhook",
                "address": "https://user.example/…",
                "after_seconds": 120,
                "user_id": str(ANN),
                "pointer": "/recipient",
            }
        ],
        "left_out": [
            {
                "reason": "quiet",
                "user_id": str(ANN),
                "channel": "email",
                "address": "a@x",
                "count": 1,
                "pointer": "/recipient",
            }
        ],
        "more_left_out": 0,
    }


def test_what_a_timeline_names_is_bounded_and_the_rest_is_counted() -> None:
    quiet = [LeftOut("/recipient", Why.QUIET, uuid4()) for _ in range(MAX_NAMED + 7)]
    cut = LeftOut("/recipient", Why.TOO_MANY, count=100)
    written = resolution_of([*quiet, cut]).as_json()
    assert len(written["left_out"]) == MAX_NAMED
    assert written["more_left_out"] == 107


EMAIL = {"type": "email", "email": "a@x"}
HOOK = {"type": "webhook", "url": "https://x/"}
USER = {"type": "user", "user_id": str(ANN)}


def group(*recipients: dict[str, str]) -> dict[str, object]:
    return {"type": "group", "recipients": list(recipients)}


def test_a_group_is_its_recipients_each_with_its_place() -> None:
    assert list(singles(EMAIL)) == [("/recipient", EMAIL)]
    assert list(singles(group(USER, EMAIL), "/nodes/3/recipient")) == [
        ("/nodes/3/recipient/recipients/0", USER),
        ("/nodes/3/recipient/recipients/1", EMAIL),
    ]


@pytest.mark.parametrize(
    ("recipient", "named"),
    [
        (EMAIL, {"a@x"}),
        (HOOK, {"https://x/"}),
        (group(EMAIL, HOOK), {"a@x", "https://x/"}),
        (USER, None),
        ({"type": "role", "role": "owner"}, None),
        (group(EMAIL, USER), None),
    ],
)
def test_which_addresses_a_recipient_names_is_known_when_it_names_no_people(
    recipient: dict[str, object], named: set[str] | None
) -> None:
    assert addresses_named(recipient) == named
