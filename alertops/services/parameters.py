"""The keys of rows as parameters of statements, under names that no column has."""

from __future__ import annotations

from typing import Any

from alertops.services.keys import AttemptKey, StepKey


def of_step(key: StepKey) -> dict[str, Any]:
    return {"key_execution": key.execution_id, "key_step": key.step}


def of_attempt(key: AttemptKey) -> dict[str, Any]:
    return {
        "key_execution": key.execution_id,
        "key_step": key.step,
        "key_target": key.target,
        "key_attempt": key.attempt,
    }
