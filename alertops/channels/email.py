"""The email channel: a notification as a mail."""

from __future__ import annotations

from contextlib import AbstractContextManager

from alertops.answer_links import AnswerLinks
from alertops.channels.base import Channel, Delivery, Notification
from alertops.channels.mailer import Mailer
from alertops.channels.message import build_message


class EmailChannel(Channel):
    """Sends by the mailer; each mail brings the link that answers it."""

    name = "email"

    def __init__(self, mailer: Mailer, links: AnswerLinks) -> None:
        self._mailer = mailer
        self._links = links

    def open(self, notification: Notification, *, within_seconds: float) -> AbstractContextManager[Delivery]:
        message = build_message(notification, self._mailer.mail_from, self._links)
        return self._mailer.open(message, within_seconds=within_seconds)
