"""How often Python looks for garbage that counting references does not find.

By default it looks after every 700 new objects, and now and then through everything: the hundred thousand
objects, too, that were loaded at the start, and are there for good. That is a twentieth of a busy worker's
time, and each time some hundredths of a second in which nobody else has the interpreter.
"""

from __future__ import annotations

import gc

NEW_OBJECTS = 10_000


def look_for_garbage_less_often() -> None:
    """To be called once a process has loaded what it needs; that is not looked at any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
