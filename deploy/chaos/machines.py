"""Machines of all characters that are told by webhook, and how all of them together have a bad time."""

from __future__ import annotations

from deploy.chaos.mailboxes import TOO_LONG
from deploy.local.hook_sink import HookSink, Reply

WELL = Reply(times=2)
BUSY = Reply(503, kept=False)
HANGS = Reply(seconds=TOO_LONG)
HANGS_UP = Reply(None)
# What all of them do together, when they have a bad time.
FAILURES = {"hang": HANGS, "refuse": BUSY, "hang up": HANGS_UP}

# What each machine does, again and again, when all of them together are well.
CHARACTERS: dict[str, tuple[Reply, ...]] = {
    "/tickets": (Reply(),),
    "/chat": (Reply(),),
    "/busy": (WELL, BUSY, Reply(500, kept=False)),
    "/gone": (Reply(410, kept=False),),
    "/slow": (WELL, Reply(seconds=1.0)),
    "/silent": (WELL, HANGS),
    "/cut": (WELL, HANGS_UP),
    # The gateway does not know whether the machine behind it has taken the message; it has.
    "/gateway": (WELL, Reply(502)),
}
# Most webhooks go to machines that work, as in life.
PATHS = [*CHARACTERS, *list(CHARACTERS)[:2] * 3]


def as_usual(sink: HookSink) -> None:
    """Every machine has its own character."""
    for path, script in CHARACTERS.items():
        sink.behave(path, *script)
