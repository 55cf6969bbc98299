"""For Prometheus: figures of the whole system, the same from every API process. No token, as for /readyz."""

from __future__ import annotations

from flask import Response, request

from api.blueprints import Blueprint
from api.metrics import scrape

blueprint = Blueprint("metrics", __name__, description="How is it doing, in numbers?")


@blueprint.get("/metrics")
@blueprint.response(200, {"type": "string"}, content_type="text/plain", description="Prometheus text format.")
@blueprint.doc(security=[])
def metrics() -> Response:
    """What runs, what is late, and what recovery had to repair.

    A server that does not answer within 2 s is told as `alertops_database_up 0` or `alertops_broker_up 0`,
    and what it would have told is left out. `docs/metrics.md` explains each figure.
    """
    body, content_type = scrape(request.headers.get("Accept", ""))
    return Response(body, content_type=content_type)
