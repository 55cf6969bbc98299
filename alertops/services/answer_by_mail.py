"""Somebody answers with the link that an alert brought: acknowledge and resolve, without an account.

It is the answer of the API; only who gives it is found otherwise, and that it came by mail is told. Whoever
the flow told may answer, whatever their role: by naming them, the team has asked them to.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Session

from alertops.channels.text import one_line
from alertops.services.acknowledge import acknowledge
from alertops.services.dispatch import Dispatcher
from alertops.services.find_linked import Linked
from alertops.services.operate import Answered, By
from alertops.services.resolve import resolve

MAX_NOTE = 500


class MailAnswer(StrEnum):
    """What the holder of a link may say."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


_VERBS = {MailAnswer.ACKNOWLEDGE: acknowledge, MailAnswer.RESOLVE: resolve}


def answer_by_mail(
    session: Session, dispatcher: Dispatcher, linked: Linked, given: MailAnswer, note: str
) -> Answered:
    """Answer and commit; raises what the answer raises. A note that is too long is cut.

    Whoever comes too late changes nothing, and their note is not kept.
    """
    by = By(linked.holder.id, linked.holder.address, one_line(note, MAX_NOTE) or None)
    return _VERBS[given](session, dispatcher, linked.execution.id, by)
