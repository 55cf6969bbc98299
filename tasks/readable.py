"""A wake-up's key with its parts named: what people read in Flower, in logs, and among the dead letters."""

from __future__ import annotations

from collections.abc import Sequence

from alertops.services.dispatch import (
    CHECK_HEARTBEAT,
    FIRE_STEP,
    FIRE_TIMER,
    SEND_ATTEMPT,
    SEND_DELIVERY,
    SEND_LETTER,
)

# As the arguments come.
PARTS = {
    FIRE_STEP: ("execution", "step"),
    FIRE_TIMER: ("execution", "timer"),
    SEND_ATTEMPT: ("execution", "step", "target", "attempt"),
    SEND_LETTER: ("letter",),
    SEND_DELIVERY: ("delivery",),
    CHECK_HEARTBEAT: ("heartbeat", "look"),
}


def readable(task: str, args: Sequence[str | int]) -> str:
    """`(step=1, execution=3f2c...)`: the id comes last, as tables cut off what is long.

    A task whose arguments have no names shows them as Python does.
    """
    parts = PARTS.get(task)
    if parts is None:
        return repr(tuple(args))
    (first, id_), *rest = zip(parts, args, strict=True)
    return f"({', '.join(f'{part}={value}' for part, value in (*rest, (first, id_)))})"
