"""Traces: how the way of one alert is followed through all processes, and across the delays between them.

    ids.py        which trace an execution has, and which span is whose parent: worked out, stored nowhere
    sdk.py        OpenTelemetry; imported only by a process that traces
    publisher.py  a publisher that tells of each wake-up
    channel.py    a channel that tells of each conversation
    woken.py      what a wake-up led to

Off unless `ALERTOPS_TRACING` says so; then what is called here compares one name with None. Nobody hears of
addresses, summaries or what a provider said: spans have ids, numbers, and words of our own.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

from alertops.tracing.ids import request_span, start_span

Attributes = Mapping[str, str | int | float | bool]
Kind = Literal["internal", "server", "producer", "consumer", "client"]


@dataclass(frozen=True)
class Told:
    """A span that is over. Times are in nanoseconds, by this host's clock.

    It is in the trace of `execution`, below the span `parent`; with no parent it is the root. `id` is given
    where others know it without being told. `cause` has the headers of who asked for it: another trace, to
    which it links; where it is of no execution, it is part of that trace.
    """

    name: str
    began: int
    ended: int
    execution: UUID | None = None
    parent: int | None = None
    id: int | None = None
    kind: Kind = "internal"
    attributes: Attributes = field(default_factory=dict)
    cause: Mapping[str, str] = field(default_factory=dict)
    failed: str | None = None


class Spans(Protocol):
    """Where spans go."""

    def tell(self, told: Told) -> None: ...

    def records(self, execution: UUID) -> bool: ...

    def under(
        self, execution: UUID, parent: int, name: str, kind: Kind, attributes: Attributes
    ) -> AbstractContextManager[Noting]: ...

    def inside(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Noting]: ...


class Noting(Protocol):
    """A span that is open: what is learned meanwhile is noted."""

    def note(self, **attributes: Any) -> None: ...


class _Deaf:
    """What is noted while nobody listens."""

    def note(self, **attributes: Any) -> None:
        """Forget it."""


_spans: Spans | None = None
_OFF: AbstractContextManager[Noting] = nullcontext(_Deaf())
_in_request: ContextVar[bool] = ContextVar("alertops_in_request", default=False)


def start_tracing(*, wanted: bool, service: str) -> None:
    """Have this process tell of what it does, if that is wanted, to the collector that `OTEL_*` name."""
    if wanted:
        from alertops.tracing.sdk import to_collector  # noqa: PLC0415  who does not trace does not import it

        tell_to(to_collector(service))


def tell_to(spans: Spans | None) -> None:
    """Spans go there from now on; with None, nowhere."""
    global _spans  # noqa: PLW0603  one a process, as OpenTelemetry has it
    _spans = spans


def is_on() -> bool:
    return _spans is not None


def clock() -> int:
    """Now, for a span that will be told of when it is over; 0 when none will."""
    return time.time_ns() if _spans is not None else 0


def tell(told: Told) -> None:
    if _spans is not None:
        _spans.tell(told)


def records(execution: UUID) -> bool:
    """Whether the trace of the execution is one that is kept: what is not is not worth a question."""
    return _spans is not None and _spans.records(execution)


def under(
    execution: UUID, parent: int, name: str, *, kind: Kind = "internal", **attributes: Any
) -> AbstractContextManager[Noting]:
    """A span in the trace of the execution, as long as the context lasts; spans inside are below it."""
    return _OFF if _spans is None else _spans.under(execution, parent, name, kind, attributes)


def inside(name: str, *, kind: Kind = "internal", **attributes: Any) -> AbstractContextManager[Noting]:
    """A span in whichever is open in this thread."""
    return _OFF if _spans is None else _spans.inside(name, kind, attributes)


def in_request(value: bool) -> None:
    """Whether what this thread opens from now on is opened by a request, which is told of at its end."""
    _in_request.set(value)


def opened(executions: Collection[UUID], since: int) -> None:
    """These executions were committed just now, by work that began then."""
    if _spans is None:
        return
    now = time.time_ns()
    for id_ in executions:
        parent = request_span(id_) if _in_request.get() else None
        attributes: Attributes = {
            "alertops.execution": str(id_),
            "alertops.opened_together": len(executions),
        }
        _spans.tell(
            Told("start_execution", since or now, now, id_, parent, start_span(id_), "internal", attributes)
        )
