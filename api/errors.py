"""Errors -> problems: one handler for each kind of error, and one for what nobody foresaw."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from alertops.errors import (
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidInputError,
    NotFoundError,
    StaleError,
    ThrottledError,
)
from api.preconditions import etag
from api.problems import BodyFault, InvalidRequestError, problem

BEARER = {"WWW-Authenticate": "Bearer"}
_RETRY_AFTER = {"Retry-After": "5"}

log = structlog.get_logger(__name__)


def register_error_handlers(app: Flask) -> None:
    """Make the application answer every error with a problem."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(InvalidRequestError, _invalid_request)
    app.register_error_handler(InvalidInputError, _invalid_input)
    app.register_error_handler(AuthenticationError, _unauthenticated)
    app.register_error_handler(NotFoundError, _not_found)
    app.register_error_handler(GoneError, _gone)
    app.register_error_handler(ForbiddenError, _forbidden)
    app.register_error_handler(ConflictError, _conflict)
    app.register_error_handler(StaleError, _stale)
    app.register_error_handler(ThrottledError, _throttled)
    for unavailable in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(unavailable, _database_unavailable)
    app.register_error_handler(Exception, _unforeseen)


def _http(error: HTTPException) -> Response:
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return problem(error.code or 500, error.description or error.name, headers=headers)


def _invalid_request(error: InvalidRequestError) -> Response:
    return problem(422, "The request is not valid; see errors.", faults=error.faults)


def _invalid_input(error: InvalidInputError) -> Response:
    faults = [BodyFault(pointer, detail) for pointer, detail in error.faults]
    return problem(422, "The request is not valid; see errors.", faults=faults)


def _unauthenticated(error: AuthenticationError) -> Response:
    return problem(401, str(error), headers=BEARER)


def _not_found(error: NotFoundError) -> Response:
    return problem(404, str(error))


def _gone(error: GoneError) -> Response:
    return problem(410, str(error))


def _forbidden(error: ForbiddenError) -> Response:
    return problem(403, str(error), current=error.facts)


def _conflict(error: ConflictError) -> Response:
    # The facts get a member of their own: a fact called `status` is not the HTTP status.
    members: dict[str, Any] = {"current": error.facts} if error.facts else {}
    return problem(409, str(error), **members)


def _stale(error: StaleError) -> Response:
    current = etag(error.version)
    return problem(412, str(error), headers={"ETag": current}, current={"etag": current})


def _throttled(error: ThrottledError) -> Response:
    return problem(429, str(error), headers={"Retry-After": str(error.retry_after)})


def _database_unavailable(error: Exception) -> Response:
    log.error("database_unavailable", error=type(error).__name__, reason=str(error.__cause__ or error))
    return problem(503, "The database does not answer; try again soon.", headers=_RETRY_AFTER)


def _unforeseen(error: Exception) -> Response:
    # The log has everything, the caller nothing: a traceback can hold what they must not see.
    log.error("request_failed", exc_info=error)
    return problem(500, "Something went wrong on our side.")
