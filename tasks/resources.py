"""What a worker process opens once and keeps: settings, database, publisher, channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from alertops.answer_links import AnswerLinks
from alertops.channels.apprise.channel import AppriseChannel
from alertops.channels.base import Channel
from alertops.channels.email import EmailChannel
from alertops.channels.mailer import Mailer
from alertops.channels.outward import Outward
from alertops.channels.webhook import WebhookChannel
from alertops.config import Environment, Timing, read_alert_limit, read_settings
from alertops.db import session_factory
from alertops.secret_box import SecretBox
from alertops.services.alert_limit import AlertLimit
from alertops.services.deliveries.host_places import HostPlaces
from alertops.services.deliveries.send_delivery import Outlet
from alertops.services.dispatch import Dispatcher
from alertops.services.lanes import is_bulk
from alertops.services.letters.send_letter import Post
from alertops.tracing.channel import telling as telling_channels
from alertops.tracing.publisher import telling as telling_publisher
from tasks.app import app
from tasks.publisher import ConfirmingPublisher


@dataclass(frozen=True)
class Resources:
    sessions: sessionmaker[Session]
    publisher: ConfirmingPublisher
    dispatcher: Dispatcher
    channels: Mapping[str, Channel]
    mailer: Mailer
    outlet: Outlet
    post: Post
    timing: Timing
    # Of what a silent job starts; each process that starts executions counts for itself, and asks the others.
    alert_limit: AlertLimit
    confirm_outsiders: bool

    def dispatcher_of(self, request: Any) -> Dispatcher:
        """The dispatcher for what follows from this task: in the lane that its wake-up came by."""
        bulk = is_bulk(request.delivery_info["routing_key"])
        return self.dispatcher.in_bulk() if bulk else self.dispatcher


@cache
def resources() -> Resources:
    """Opened at the first use, in the process that uses it: nothing here may cross a fork."""
    environment = Environment()
    alerts_per_minute = read_alert_limit(environment)
    settings = read_settings(environment, lambda settings: settings)
    mailer = Mailer(settings.smtp)
    webhook = WebhookChannel(settings.webhooks, settings.public_url, SecretBox(settings.secrets_keys))
    email = EmailChannel(mailer, AnswerLinks(settings.public_url, settings.link_keys))
    apprise = AppriseChannel(
        Outward(settings.webhooks),
        settings.public_url,
        SecretBox(settings.secrets_keys),
        settings.apprise_schemes,
    )
    publisher = ConfirmingPublisher(app, settings.timing.publish_timeout)
    return Resources(
        sessions=session_factory(settings.database_url),
        publisher=publisher,
        dispatcher=Dispatcher(telling_publisher(publisher)),
        channels=telling_channels({channel.name: channel for channel in (email, webhook, apprise)}),
        mailer=mailer,
        outlet=Outlet(webhook, HostPlaces()),
        post=Post(mailer, settings.public_url),
        timing=settings.timing,
        alert_limit=AlertLimit(alerts_per_minute),
        confirm_outsiders=settings.confirm_outsiders,
    )
