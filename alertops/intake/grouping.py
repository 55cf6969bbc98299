"""Which alerts of a flow belong together: those that say the same in all fields that the flow groups by.

An alert that says nothing in one of the fields belongs to no group: what it would be lumped together with is
whatever else is silent there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from alertops.intake.event import Described
from alertops.intake.routing import value_of

KEY_LENGTH = 32


def group_of(fields: Sequence[str], alert: Described) -> dict[str, str] | None:
    """What the alert says in these fields; None when it says nothing in one of them, or there are none."""
    said = {name: value_of(alert, name) for name in sorted(fields)}
    known = {name: value for name, value in said.items() if value is not None}
    return known if known and len(known) == len(said) else None


def key_of(group: Mapping[str, str]) -> str:
    """What a group is known by: 128 bits of a hash, whatever the length of what it says."""
    written = json.dumps(sorted(group.items()), ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()[:KEY_LENGTH]
