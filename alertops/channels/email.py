"""The email channel: a notification as a mail."""

from __future__ import annotations

from contextlib import AbstractContextManager

from alertops.channels.base import Channel, Delivery, Notification
from alertops.channels.mailer import Mailer
from alertops.channels.message import build_message


class EmailChannel(Channel):
    """Sends by the mailer; what the recipient may do is below `public_url`."""

    name = "email"

    def __init__(self, mailer: Mailer, public_url: str) -> None:
        self._mailer = mailer
        self._public_url = public_url

    def open(self, notification: Notification, *, within_seconds: float) -> AbstractContextManager[Delivery]:
        message = build_message(notification, self._mailer.mail_from, self._public_url)
        return self._mailer.open(message, within_seconds=within_seconds)
