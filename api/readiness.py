"""Is this process of use? Asked of the database and the broker themselves, for a bounded time.

The database decides: without it, or with a schema that is behind the code, nothing can be accepted.
The broker is only told about: alerts are accepted without it, and recovery dispatches them later.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as ProbeTimeoutError
from dataclasses import asdict, dataclass

import structlog
from amqp import AMQPError
from flask import Flask, current_app
from kombu import Connection
from kombu.exceptions import OperationalError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from alertops.schema import is_current
from api.extensions import db

PROBE_SECONDS = 2
OK = "ok"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Readiness:
    """`ok`, or what is wrong, of each part."""

    database: str
    broker: str

    @property
    def ready(self) -> bool:
        return self.database == OK

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def init_readiness(app: Flask, broker_url: str) -> None:
    """Give the application its prober; it asks nobody before it is asked."""
    with app.app_context():
        app.extensions["alertops.prober"] = Prober(db.engine, broker_url)


def probe() -> Readiness:
    """How the running application is doing."""
    prober: Prober = current_app.extensions["alertops.prober"]
    return prober.probe()


class Prober:
    """Asks both at once. One thread each: a server that hangs holds one probe, not one more each time."""

    def __init__(self, engine: Engine, broker_url: str) -> None:
        self._engine = engine
        self._broker_url = broker_url
        self._database_thread = ThreadPoolExecutor(1, thread_name_prefix="probe-database")
        self._broker_thread = ThreadPoolExecutor(1, thread_name_prefix="probe-broker")

    def probe(self) -> Readiness:
        """Ask, and wait for the answers as long as `PROBE_SECONDS`."""
        database = self._database_thread.submit(_database, self._engine)
        broker = self._broker_thread.submit(_broker, self._broker_url)
        return Readiness(_outcome(database), _outcome(broker))


def _outcome(future: Future[str]) -> str:
    try:
        return future.result(timeout=PROBE_SECONDS)
    except ProbeTimeoutError:
        future.cancel()
        return f"no answer within {PROBE_SECONDS} s"


def _database(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            return OK if is_current(connection) else "the schema is not at this code's revision"
    except SQLAlchemyError as error:
        log.warning("database_unavailable", error=str(error))
        return "does not answer"


def _broker(url: str) -> str:
    try:
        with Connection(url, connect_timeout=PROBE_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            return OK
    except (OperationalError, AMQPError, OSError) as error:
        log.warning("broker_unavailable", error=str(error))
        return "does not answer; alerts are accepted, and dispatched when it is back"
