"""For whoever runs this process: is it up, and is it of use? Beside the versioned API, without tokens."""

from __future__ import annotations

from typing import Any

from flask import Response

from api.blueprints import Blueprint
from api.problems import problem
from api.readiness import probe
from api.schemas.health import HealthSchema, ReadinessSchema

blueprint = Blueprint("health", __name__, description="Is the process up, and is it of use?")


@blueprint.get("/healthz")
@blueprint.response(200, HealthSchema)
@blueprint.doc(security=[])
def healthz() -> dict[str, str]:
    """Is the process up?"""
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.response(200, ReadinessSchema)
@blueprint.doc(security=[])
def readyz() -> dict[str, Any] | Response:
    """Can it take requests? A broker that is down is told about, and is no reason to say no.

    So is recovery that gets nowhere: `recovery` is `ok` when a run dispatched all that it found within the
    last three ticks.
    """
    readiness = probe()
    checks = readiness.as_json()
    if readiness.ready:
        return {"status": "ready", "checks": checks}
    detail = f"The database is not usable: {readiness.database}."
    return problem(503, detail, headers={"Retry-After": "5"}, checks=checks)
