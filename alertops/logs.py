"""Structured logs: one event a line, JSON in production, readable on a terminal.

Bind what a stretch of work is about (`execution`, `step`, `attempt`) with structlog's context
variables; every line inside carries it, those of libraries too.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

# Libraries whose INFO lines say nothing that an operator of AlertOps acts on.
QUIET = (
    "alembic",
    "amqp",
    "celery.app.trace",
    "celery.worker.strategy",
    "kombu",
    "mail.log",
    "tornado.access",
)


def configure_logging(log_format: str, level: str) -> None:
    """Send everything to standard error, through one chain of processors."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(log_format)],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
