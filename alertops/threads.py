"""How threads of one process take turns.

Python lets a thread that computes go on for 5 ms while others want to. A request or a send gives way some
twenty times, each time that it waits for a server, and would then wait for 5 ms again behind each thread
that is busy with a batch: half a second for what takes ten milliseconds.
"""

from __future__ import annotations

import sys

SECONDS = 0.0005


def take_turns_quickly() -> None:
    """Let a thread that computes go on for half a millisecond only while others want to."""
    sys.setswitchinterval(SECONDS)
