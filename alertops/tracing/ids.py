"""Which trace an execution has, and which span is whose parent: worked out from keys that everybody has.

Between two steps of an escalation lie minutes, and a broker that may lose all that it was given. A wake-up
carries a key alone, and so it is with traces: whoever has the key knows the trace, and its parent in it::

    request ─▶ start_execution ─┬─▶ fire_step 1 ─┬─▶ send_attempt ─▶ claim, open, mark, transmit, record
                                │                └─▶ send_attempt ...
                                └─▶ fire_step 2 ─▶ ...

A step fires once, so its span has an id that can be known; an attempt may be claimed twice, and need not.
"""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

_HALF = 64
_LOW = (1 << _HALF) - 1


def trace_of(execution: UUID) -> int:
    """The execution's id, the second half first.

    Samplers decide by the second half of a trace's id. That of a random UUID begins with two bits that are
    always the same, by which a sampler would take all or none; its first half begins with 48 random ones.
    """
    return (execution.int & _LOW) << _HALF | execution.int >> _HALF


def request_span(execution: UUID) -> int:
    """The request that opened it: the root of its trace."""
    return _span(execution, "request")


def start_span(execution: UUID) -> int:
    """It was opened."""
    return _span(execution, "start")


def fire_span(execution: UUID, step: int) -> int:
    """A step of it fired."""
    return _span(execution, f"fire {step}")


def _span(execution: UUID, what: str) -> int:
    digest = blake2b(what.encode(), key=execution.bytes, digest_size=8).digest()
    # Nought would be no span's id.
    return int.from_bytes(digest) or 1
