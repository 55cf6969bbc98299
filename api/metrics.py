"""A scrape: figures of the database and the queues, each as far as it answers, for a bounded time.

A server that is down does not fail the scrape: that it is down is the first thing that a scrape must tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from flask import Flask, current_app
from prometheus_client.exposition import choose_encoder
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from alertops.config import Settings
from alertops.errors import BrokerUnavailableError
from alertops.services.measure import Figures, QueueReader, Queues, measure
from api.exposition import Exposition
from api.extensions import db
from api.questions import Question

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Scraper:
    """What a scrape asks. `figures` and `queues` answer None when their server does not answer."""

    figures: Question[Figures | None]
    queues: Question[Queues | None]
    version: str


def init_metrics(app: Flask, settings: Settings, queues: QueueReader, version: str) -> None:
    """Give the application its scraper; it asks nobody before it is asked."""
    with app.app_context():
        app.extensions["alertops.scraper"] = Scraper(
            Question("figures", partial(_figures, db.engine, settings.timing.recovery_grace)),
            Question("queues", partial(_queues, queues.read)),
            version,
        )


def scrape(accept: str) -> tuple[bytes, str]:
    """The figures of now, in the format that the caller accepts, and that format's content type."""
    scraper: Scraper = current_app.extensions["alertops.scraper"]
    figures, queues = scraper.figures.ask(), scraper.queues.ask()
    exposition = Exposition(figures.wait(otherwise=None), queues.wait(otherwise=None), scraper.version)
    encode, content_type = choose_encoder(accept)
    return encode(exposition), content_type


def _figures(engine: Engine, grace: float) -> Figures | None:
    try:
        with engine.connect() as connection:
            return measure(connection, grace)
    except SQLAlchemyError as error:
        log.warning("figures_unavailable", error=str(error))
        return None


def _queues(read: Callable[[], Queues]) -> Queues | None:
    try:
        return read()
    except BrokerUnavailableError as error:
        log.warning("queues_unavailable", error=str(error))
        return None
