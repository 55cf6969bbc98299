"""Letters in tests: a post office that does as told, and keeps what it was given; the mails' tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from alertops.channels.base import Receipt
from alertops.config import Timing
from alertops.escalation.states import UNFINISHED, AttemptStatus
from alertops.models import Letter
from alertops.services.dispatch import Dispatcher
from alertops.services.letters.send_letter import Post, send_letter
from tests.integration.world import Broker

Behaviour = Callable[[EmailMessage], None]


@dataclass
class PostOffice:
    """The mailer, outside the system, so a fake: `on_open` and `on_transmit` may raise a ChannelError."""

    session: Session
    on_open: Behaviour = lambda _: None
    on_transmit: Behaviour = lambda _: None
    taken: list[EmailMessage] = field(default_factory=list)
    broker: Broker = field(default_factory=Broker)
    mail_from: str = "alerts@alertops.test"
    timing: Timing = field(default_factory=Timing)

    @contextmanager
    def open(self, message: EmailMessage, *, within_seconds: float) -> Iterator[_Delivery]:
        self.on_open(message)
        yield _Delivery(self, message)

    def send(self, letter_id: UUID, session: Session | None = None) -> AttemptStatus | None:
        """What the task does when the letter's wake-up arrives."""
        post: Any = Post(self, "https://alertops.test")  # type: ignore[arg-type]  # it can all that is asked of it
        own = session or self.session
        return send_letter(own, Dispatcher(self.broker), post, self.timing, letter_id)

    def deliver(self) -> list[EmailMessage]:
        """Send all letters that are due; what was taken by that."""
        before = len(self.taken)
        self.session.rollback()
        due = self.session.scalars(
            select(Letter.id).where(Letter.status.in_(UNFINISHED)).order_by(Letter.created_at)
        ).all()
        for letter_id in due:
            self.send(letter_id)
        return self.taken[before:]

    def pass_time(self, seconds: float) -> None:
        """Move all that was written so much into the past."""
        ago = timedelta(seconds=seconds)
        self.session.execute(
            update(Letter).values(
                due_at=Letter.due_at - ago,
                expires_at=Letter.expires_at - ago,
                lease_until=Letter.lease_until - ago,
                created_at=Letter.created_at - ago,
                dispatched_at=Letter.dispatched_at - ago,
            )
        )
        self.session.commit()


@dataclass
class _Delivery:
    office: PostOffice
    message: EmailMessage

    def transmit(self, *, within_seconds: float) -> Receipt:
        self.office.on_transmit(self.message)
        self.office.taken.append(self.message)
        return Receipt("250 taken")


def token_in(mail: EmailMessage) -> str:
    """The token that a mail brings."""
    found = re.search(r"mlt_[A-Za-z0-9_-]{43}", mail.get_content())
    assert found is not None, mail.get_content()
    return found[0]
