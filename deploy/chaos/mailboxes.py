"""Mailboxes of all characters, and a mail server that as a whole has a bad time."""

from __future__ import annotations

from deploy.local.smtp_sink import Accept, Behaviour, Drop, Hang, Refuse, SmtpSink

# Longer than the send deadline, so that the sender gives up first.
TOO_LONG = 6.0


def _changing(behaviour: Behaviour) -> tuple[Behaviour, ...]:
    """Now so, now well: the same turns again and again, more often than a run lasts."""
    return (Accept(times=2), behaviour) * 5000


OWNER = "chaos@example.org"
# What each mailbox does when the mail server as a whole is well.
CHARACTERS: dict[str, tuple[Behaviour, ...]] = {
    # Whoever is handed an execution.
    OWNER: (),
    "ops@example.org": (),
    "dev@example.org": (),
    "lead@example.org": (),
    "chief@example.org": (),
    "full@example.org": _changing(Refuse(452, times=2)),
    "moved@example.org": (Refuse(550),),
    "spam@example.org": _changing(Refuse(451, at="data", times=1)),
    "slow@example.org": _changing(Hang(1.0, times=1)),
    "silent@example.org": _changing(Hang(TOO_LONG, times=1)),
    "greeting@example.org": _changing(Hang(TOO_LONG, at="rcpt", times=1)),
    "cut@example.org": _changing(Drop(times=1)),
}
# Most mail goes to mailboxes that work, as in life.
_NAMED = [address for address in CHARACTERS if address != OWNER]
ADDRESSES = [*_NAMED, *_NAMED[:4] * 3]


def as_usual(sink: SmtpSink) -> None:
    """Every mailbox has its own character."""
    for address, script in CHARACTERS.items():
        sink.behave(address, *script)


def all_alike(sink: SmtpSink, behaviour: Behaviour) -> None:
    """Every mailbox does the same, until told otherwise."""
    for address in CHARACTERS:
        sink.behave(address, behaviour)
