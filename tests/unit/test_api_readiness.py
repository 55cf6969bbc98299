"""What is said about recovery, from the age of its last whole run."""

from __future__ import annotations

import pytest

from api.readiness import OK, recovery_check


@pytest.mark.parametrize(
    ("age", "tick", "says"),
    [
        (0.0, 10.0, OK),
        (35.0, 10.0, OK),
        (35.1, 10.0, "no whole run for 35 s; is a worker with the queue `recovery` up?"),
        (47.4, 10.0, "no whole run for 47 s; is a worker with the queue `recovery` up?"),
        (47.4, 60.0, OK),
        (None, 10.0, "has not run yet; is a worker with the queue `recovery` up?"),
        (None, 0.0, "off: ALERTOPS_RECOVERY_TICK_SECONDS is 0"),
        (1e6, 0.0, "off: ALERTOPS_RECOVERY_TICK_SECONDS is 0"),
    ],
)
def test_recovery_is_well_for_three_ticks_and_some_slack(age: float | None, tick: float, says: str) -> None:
    assert recovery_check(age, tick) == says
