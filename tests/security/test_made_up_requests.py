"""Requests that Schemathesis makes up from the API's own description: none is a server error, and what comes
back is what the description says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from tests.security.conftest import Place, place, somebody

# Enough to have met every fault that a hundred times as many have met; the seed is fixed.
EXAMPLES = 12

# Checks that do not hold for us, and why.
UNFIT = {
    # Ours are asked for in test_api_isolation and test_access_tokens, with more kinds of tokens.
    "positive_data_acceptance": "no schema says which cursor, ETag, node or password is the right one",
    "ignored_auth": "it takes `security: []` of a single route for the whole document",
}


def operations(app: Flask) -> Iterator[Any]:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    return (found.ok() for found in schema.get_all_operations())


def ends_sessions(operation: Any) -> bool:
    return "logout" in operation.path or "sessions" in operation.path


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fit", "unfit"])
def test_made_up_requests_are_answered_as_described(app: Flask, mode: GenerationMode) -> None:
    tried = 0
    here = place(app, "owner")
    for operation in operations(app):
        # Where nothing can be sent, nothing can be wrong with it.
        with suppress(Unsatisfiable):
            try_out(app, operation, here, mode)
            tried += 1
    assert tried >= 25


def try_out(app: Flask, operation: Any, here: Place, mode: GenerationMode) -> None:
    excluded = [CHECKS.get_one(name) for name in UNFIT]
    number = iter(range(1000))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Case) -> None:
        caller = here.owner
        if ends_sessions(operation):
            caller = somebody(app, f"guest{operation.method}{len(operation.path)}{next(number)}")
        if mode is GenerationMode.POSITIVE:
            # What exists, most of the time nobody hits by chance.
            case.path_parameters = here.parameters(operation.path, case.path_parameters or {})
        case.call_and_validate(headers={"Authorization": f"Bearer {caller.token}"}, excluded_checks=excluded)

    one()
