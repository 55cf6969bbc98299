"""Flows of every shape that the API can tell, and files that say them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from alertops.escalation.flow import RetryPolicy

ANN, BOB, LEFT = (f"00000000-0000-4000-8000-00000000000{digit}" for digit in (1, 2, 3))
ADDRESSES = {ANN: "Ann@example.org", BOB: "bob@example.org"}
USER_IDS = {address.lower(): user_id for user_id, address in ADDRESSES.items()}

# Whatever the database can hold, and what YAML would take for something else than text.
_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_odd = st.sampled_from(
    ["on", "yes", "null", "~", "010", "1e3", "0x1F", "1:30", "2026-01-31", "- a", "#", "a: b", "<<"]
)
texts = _text | _odd
names = texts.filter(lambda text: bool(text.strip()))

_one = st.one_of(
    st.sampled_from(["a@example.org", "b@example.org"]).map(lambda email: {"type": "email", "email": email}),
    st.sampled_from([ANN, BOB, LEFT]).map(lambda user_id: {"type": "user", "user_id": user_id}),
    st.sampled_from(["owner", "admin", "member", "viewer"]).map(lambda role: {"type": "role", "role": role}),
    st.just({"type": "webhook", "url": "https://example.org/hook?a=b#c"}),
)
_group = st.lists(_one, min_size=2, max_size=10, unique_by=str).map(
    lambda each: {"type": "group", "recipients": each}
)
recipients = _one | _group

retries = st.fixed_dictionaries(
    {
        "max_attempts": st.integers(1, 20),
        "backoff_seconds": st.integers(1, 86_400),
        "backoff_factor": st.floats(1, 10),
        "max_backoff_seconds": st.integers(1, 86_400),
        "jitter": st.floats(0, 1),
        "budget_seconds": st.none() | st.integers(1, 604_800),
    }
) | st.just(vars(RetryPolicy()))

nodes = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "name": names,
        "recipient": recipients,
        "delay_seconds": st.integers(0, 30 * 86_400),
        "retry": retries,
        "on_failure": st.sampled_from(["escalate", "wait"]),
        "on_unknown": st.sampled_from(["resend", "hold"]),
    }
)
_timeouts = st.none() | st.integers(60, 90 * 86_400)


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Any]:
    """A flow as the API tells it."""
    return {
        "id": str(draw(st.uuids())),
        "name": draw(names),
        "description": draw(texts),
        "repeat": draw(st.integers(0, 9)),
        "ack_timeout_seconds": draw(_timeouts),
        "resolve_after_seconds": draw(_timeouts),
        "group_by": draw(
            st.lists(st.sampled_from(["severity", "labels.on", "details.a.b"]), unique=True, max_size=3)
        ),
        "group_window_seconds": draw(st.integers(10, 86_400)),
        "nodes": draw(st.lists(nodes, min_size=1, max_size=4, unique_by=lambda node: node["name"])),
        "revision": 7,
        "archived_at": None,
    }
