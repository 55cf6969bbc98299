"""The composition root of the API: settings, publisher, queues and application put together, for gunicorn."""

from __future__ import annotations

import structlog

from alertops.errors import BrokerUnavailableError
from alertops.garbage import look_for_garbage_less_often
from alertops.logs import configure_logging
from alertops.tracing import start_tracing
from alertops.tracing.publisher import telling
from api import create_app
from api.config import load_api_settings
from tasks.app import app as celery_app
from tasks.depths import QueueDepths
from tasks.publisher import ConfirmingPublisher

log = structlog.get_logger(__name__)

settings = load_api_settings()
configure_logging(settings.core.log_format, settings.core.log_level)
start_tracing(wanted=settings.core.tracing, service="alertops-api")
publisher = ConfirmingPublisher(celery_app, settings.core.timing.publish_timeout)
try:
    publisher.prepare()
except BrokerUnavailableError as error:
    log.warning("broker_unavailable", error=str(error), next="alerts are accepted; recovery dispatches them")
app = create_app(settings, telling(publisher), QueueDepths(celery_app))
look_for_garbage_less_often()
