"""The API's description: OpenAPI 3.1 from the code at /openapi.json, Swagger UI at /docs."""

from __future__ import annotations

from typing import Any

import flask_smorest
from apispec import BasePlugin
from flask import Flask
from flask_smorest.utils import prepare_response
from flask_swagger_ui import get_swaggerui_blueprint
from werkzeug.routing import IntegerConverter, Rule

from api.schemas.contact_methods import METHODS
from api.schemas.pages import NumberCursor, PlaceCursor
from api.schemas.problems import ProblemSchema
from api.schemas.recipients import RECIPIENTS

DOCUMENT_PATH = "/openapi.json"

_BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class NumberConverter(IntegerConverter):
    """A number in a path, of few enough digits that it is in range everywhere; others are not found."""

    regex = "[1-9][0-9]{0,8}"


class OperationIds(BasePlugin):
    """Names each operation by its view, such as `flows_create`: programs made from this call it so."""

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, dict[str, Any]] | None = None,
        *,
        rule: Rule | None = None,
        **_: Any,
    ) -> None:
        for method, operation in (operations or {}).items():
            if rule is not None:
                name = rule.endpoint.replace(".", "_")
                operation["operationId"] = name if len(operations or {}) == 1 else f"{name}_{method}"


class OpenApi(flask_smorest.Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest, telling that every error is a problem."""

    def _register_error_handlers(self) -> None:
        """Leave the errors to `api.errors`."""

    def _register_responses(self) -> None:
        for name, description in (
            ("DEFAULT_ERROR", "Any error."),
            ("FORBIDDEN", "Your role, or your key, does not allow this."),
            ("NOT_FOUND", "There is no such thing, or none that you may see."),
            ("PRECONDITION_FAILED", "Changed since you read it; `ETag` says what it is now."),
            ("PRECONDITION_REQUIRED", "A change needs `If-Match`."),
            ("UNPROCESSABLE_CONTENT", "The request is not valid; `errors` says where."),
            ("UNPROCESSABLE_ENTITY", "The request is not valid; `errors` says where."),
        ):
            response: dict[str, Any] = {"description": description, "schema": ProblemSchema}
            prepare_response(response, self.spec, "application/problem+json")
            self.spec.components.response(name, response, lazy=True)


def init_openapi(app: Flask, version: str) -> OpenApi:
    """Serve the description and the pages to read it; blueprints register with what this returns."""
    app.config.update(
        API_TITLE="AlertOps",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        API_SPEC_OPTIONS={
            "info": {"description": "Escalation that fires on time until somebody acknowledges."},
            "security": [{"accessToken": []}],
        },
    )
    api = OpenApi(app, spec_kwargs={"extra_plugins": [OperationIds()]})
    api.register_field(PlaceCursor, "string", None)
    api.register_field(NumberCursor, "string", None)
    app.url_map.converters["number"] = NumberConverter
    api.register_converter(NumberConverter, lambda _: {"type": "integer", "minimum": 1})
    api.spec.components.security_scheme("accessToken", _BEARER)
    api.spec.components.security_scheme("refreshToken", {"type": "http", "scheme": "bearer"})
    for kind in (*RECIPIENTS.values(), *METHODS.values()):
        api.spec.components.schema(kind.__name__, schema=kind)
    # The pages come with the package: no browser has to fetch code from somewhere else.
    app.register_blueprint(get_swaggerui_blueprint("/docs", DOCUMENT_PATH, config={"app_name": "AlertOps"}))
    return api
