"""Is this process of use? Asked of the database and the broker themselves, for a bounded time.

The database decides: without it, or with a schema that is behind the code, nothing can be accepted.
The broker and recovery are only told about: alerts are accepted without them, and fire when they are back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial

import structlog
from amqp import AMQPError
from flask import Flask, current_app
from kombu import Connection
from kombu.exceptions import OperationalError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from alertops.config import Settings
from alertops.schema import is_current
from alertops.services.recovery_record import last_run_age
from api.extensions import db
from api.questions import ANSWER_SECONDS, Question

OK = "ok"
NO_ANSWER = f"no answer within {ANSWER_SECONDS} s"
# A run that misses two ticks may have met a frozen runner, or have much to do; three are too many.
MISSED_TICKS = 3
SLACK_SECONDS = 5
ASK_ABOUT_WORKER = "is a worker with the queue `recovery` up?"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DatabaseChecks:
    """What is asked of the database; `ok`, or what is wrong."""

    database: str
    recovery: str = "not known without the database"


@dataclass(frozen=True)
class Readiness:
    """`ok`, or what is wrong, of each part."""

    database: str
    broker: str
    recovery: str

    @property
    def ready(self) -> bool:
        return self.database == OK

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def init_readiness(app: Flask, settings: Settings) -> None:
    """Give the application its prober; it asks nobody before it is asked."""
    with app.app_context():
        app.extensions["alertops.prober"] = Prober(db.engine, settings)


def probe() -> Readiness:
    """How the running application is doing."""
    prober: Prober = current_app.extensions["alertops.prober"]
    return prober.probe()


class Prober:
    """Asks the database and the broker at once."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._database = Question("database", partial(_database, engine, settings.timing.recovery_tick))
        self._broker = Question("broker", partial(_broker, settings.broker_url))

    def probe(self) -> Readiness:
        """Ask, and wait for the answers as long as `ANSWER_SECONDS`."""
        database, broker = self._database.ask(), self._broker.ask()
        checks = database.wait(otherwise=DatabaseChecks(NO_ANSWER))
        return Readiness(checks.database, broker.wait(otherwise=NO_ANSWER), checks.recovery)


def _database(engine: Engine, recovery_tick: float) -> DatabaseChecks:
    try:
        with engine.connect() as connection:
            if not is_current(connection):
                return DatabaseChecks("the schema is behind this code's revision")
            return DatabaseChecks(OK, recovery_check(last_run_age(connection), recovery_tick))
    except SQLAlchemyError as error:
        log.warning("database_unavailable", error=str(error))
        return DatabaseChecks("does not answer")


def recovery_check(age: float | None, tick: float) -> str:
    """Whether recovery gets through: it should at every tick, in some worker."""
    if not tick:
        return "off: ALERTOPS_RECOVERY_TICK_SECONDS is 0"
    if age is None:
        return f"has not run yet; {ASK_ABOUT_WORKER}"
    if age > MISSED_TICKS * tick + SLACK_SECONDS:
        return f"no whole run for {age:.0f} s; {ASK_ABOUT_WORKER}"
    return OK


def _broker(url: str) -> str:
    try:
        with Connection(url, connect_timeout=ANSWER_SECONDS) as connection:
            # Each node of a cluster is asked, and a single one a second time.
            connection.ensure_connection(max_retries=max(1, url.count(";")), interval_start=0)
            return OK
    except (OperationalError, AMQPError, OSError) as error:
        log.warning("broker_unavailable", error=str(error))
        return "does not answer; alerts are accepted, and dispatched when it is back"
