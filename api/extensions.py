"""What the views share: the database session, and the dispatcher of wake-ups."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from flask import Flask, current_app
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

import alertops
from alertops.answer_links import AnswerLinks
from alertops.db import Base, bounded, engine_options
from alertops.secret_box import SecretBox
from alertops.services.accounts.limits import Limits
from alertops.services.alert_limit import AlertLimit
from alertops.services.batches_at_once import BatchesAtOnce
from alertops.services.destinations.make_destination import Keeper
from alertops.services.dispatch import Dispatcher, Publisher
from alertops.services.gather_starts import StartGatherer

MIGRATIONS = Path(alertops.__file__).parent / "migrations"

# Rows stay readable after a commit, as they do in the workers' sessions.
db = SQLAlchemy(
    metadata=Base.metadata, engine_options=engine_options(), session_options={"expire_on_commit": False}
)
migrate = Migrate(directory=str(MIGRATIONS))


def init_extensions(
    app: Flask, publisher: Publisher, limits: Limits, links: AnswerLinks, secrets: SecretBox
) -> None:
    """Bind what the views share to this application."""
    alert_limit = AlertLimit(app.config["TEAM_ALERTS_PER_MINUTE"])
    db.init_app(app)
    with app.app_context():
        bounded(db.engine)
    migrate.init_app(app, db)
    app.extensions["alertops.dispatcher"] = Dispatcher(publisher)
    app.extensions["alertops.alert_limit"] = alert_limit
    app.extensions["alertops.batches_at_once"] = BatchesAtOnce()
    app.extensions["alertops.gatherer"] = StartGatherer(alert_limit)
    app.extensions["alertops.limits"] = limits
    app.extensions["alertops.answer_links"] = links
    app.extensions["alertops.secret_box"] = secrets
    app.extensions["alertops.destination_keeper"] = Keeper(secrets, app.config["APPRISE_SCHEMES"])


def session() -> Session:
    """This request's session; it is closed when the request ends."""
    return db.session()


def limits() -> Limits:
    """The limits on what clients of the running application may try."""
    return cast(Limits, current_app.extensions["alertops.limits"])


def answer_links() -> AnswerLinks:
    """What makes and reads the links in alerts."""
    return cast(AnswerLinks, current_app.extensions["alertops.answer_links"])


def secret_box() -> SecretBox:
    """What seals the secrets that are stored."""
    return cast(SecretBox, current_app.extensions["alertops.secret_box"])


def destination_keeper() -> Keeper:
    """What keeps the URLs of destinations."""
    return cast(Keeper, current_app.extensions["alertops.destination_keeper"])


def alert_limit() -> AlertLimit:
    """How many executions a team may open."""
    return cast(AlertLimit, current_app.extensions["alertops.alert_limit"])


def batches_at_once() -> BatchesAtOnce:
    """How many batches of one team this process works on."""
    return cast(BatchesAtOnce, current_app.extensions["alertops.batches_at_once"])


def gatherer() -> StartGatherer:
    """What starts the alerts of concurrent requests together."""
    return cast(StartGatherer, current_app.extensions["alertops.gatherer"])


def dispatcher() -> Dispatcher:
    """The dispatcher of the running application."""
    return cast(Dispatcher, current_app.extensions["alertops.dispatcher"])
