"""The protocol keeps its promises in every run that the model has; without any one mechanism it does not.

The exhaustive searches visit every state; their bounds are in the model. docs/model/README.md explains.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alertops.escalation import machine, states
from alertops.models import Attempt, Step
from alertops.services import (
    acknowledge,
    claim_attempt,
    fire_step,
    record_outcome,
    recover,
    start_execution,
    transitions,
)
from tests.model.spin import MODEL, Report, search_all, search_shortest

# Two claims instead of three where the broker, recovery and both kinds of mark multiply the states.
TWO_CLAIMS = "MAX_CLAIMS=2"

WORLDS = [
    pytest.param((), 4_000_000, id="woken by anybody for anything at any time"),
    pytest.param(("BROKER", TWO_CLAIMS), 800_000, id="workers die; nothing is late"),
    pytest.param(("BROKER", "LOSES", TWO_CLAIMS), 3_000_000, id="messages are lost; no alert is"),
    pytest.param(("BROKER", "NO_FAULTS", "NO_RECOVERY"), 2_900, id="no faults; recovery is not needed"),
]

# (what is taken away, and in which world; the promise that breaks)
VARIANTS = [
    (("DUE_NOT_CHECKED",), "never_early"),
    (("NO_GUARD_ON_WAITING",), "fires_once"),
    (("NEXT_IN_A_SECOND_TRANSACTION",), "none_is_skipped"),
    (("CLAIM_JOINS",), "no_claim_after_acknowledge"),
    (("NO_LOCK_AT_THE_MARK",), "no_transmit_after_acknowledge"),
    (("MARK_NOT_FENCED",), "a_repeat_is_announced"),
    (("OUTCOME_NOT_FENCED",), "no_outcome_under_a_stale_claim"),
    (("NO_TRANSMIT_MARK",), "uncertain_is_said"),
    (("LEASE_NOT_CHECKED",), "no_claim_of_a_live_lease"),
    (("UNCERTAIN_IS_FORGOTTEN",), "uncertain_is_said"),
    (("BROKER", "LOSES", "NO_RECOVERY"), "never_lost"),
    (("BROKER", "LOSES", "RUNNER_HANGS"), "never_lost"),
    (("BROKER", "NO_DISPATCH_MARK"), "on_time"),
    (("BROKER", "MARK_BEFORE_PUBLISH"), "on_time"),
    (("BROKER", "NO_FAULTS", "NO_RECOVERY", "PUBLISH_BEFORE_COMMIT"), "on_time"),
]

STATUSES = (states.ExecutionStatus, states.StepStatus, states.AttemptStatus)

# Where each name of the model is defined in the code.
NAMES: list[tuple[object, set[str]]] = [
    (start_execution, {"start_execution"}),
    (fire_step, {"fire_step"}),
    (claim_attempt, {"claim_attempt"}),
    (record_outcome, {"record_outcome"}),
    (acknowledge, {"acknowledge"}),
    (recover, {"recover"}),
    (
        transitions,
        {"insert_step", "fire_step", "bring_step_forward", "claim_attempt", "mark_transmit", "end_attempt"},
    ),
    (machine, {"MAX_CLAIMS", "_settle", "_settle_target"}),
    (Attempt, {"claim_number", "lease_until", "transmit_at", "may_repeat", "dispatched_at"}),
    (Step, {"dispatched_at"}),
]

# Answers that end an execution as acknowledge does, by the same path.
NOT_MODELLED = {"snoozed", "resolved"}


@pytest.mark.parametrize(("settings", "at_least"), WORLDS)
def test_every_promise_holds_in_every_state(tmp_path: Path, settings: tuple[str, ...], at_least: int) -> None:
    report = search_all(tmp_path, *settings)
    assert report.errors == 0, report.text
    assert report.complete, report.text
    # A model that lost most of its behaviour would keep its promises too.
    assert report.states > at_least
    if not settings:
        _every_action_happened(report, "worker", "clock", "acknowledge")
    if "LOSES" in settings:
        # Nobody answers in this world, so its workers cannot do all that they can do in the first.
        _every_action_happened(report, "recover", "broker_loses", "clock")


def _every_action_happened(report: Report, *processes: str) -> None:
    """Nothing was unreachable but what cannot happen, which the model says of itself: `never:`."""
    lines = MODEL.read_text().splitlines()
    for process in processes:
        for number, statement in report.unreached(process).items():
            assert "never:" in lines[number - 1] or statement == "-end-", f"{process}:{number} {statement}"


@pytest.mark.parametrize(("settings", "promise"), VARIANTS, ids=[settings[-1] for settings, _ in VARIANTS])
def test_without_the_mechanism_a_promise_breaks(
    tmp_path: Path, settings: tuple[str, ...], promise: str
) -> None:
    report = search_shortest(tmp_path, TWO_CLAIMS, *settings)
    assert report.broken == promise, report.text


def test_every_variant_of_the_model_is_checked() -> None:
    """An #ifdef that no test defines would be dead text."""
    conditions = set(re.findall(r"^#ifn?def (\w+)", MODEL.read_text(), re.MULTILINE))
    bounds = {"STEPS", "MAX_ATTEMPTS", "MAX_CLAIMS"}
    used = {setting for settings, _ in VARIANTS for setting in settings}
    assert conditions - bounds == used


def test_the_words_of_the_model_are_those_of_the_code() -> None:
    """A renaming in the code must reach the model, and one in the model the code."""
    words = set(re.findall(r"\w+", MODEL.read_text()))
    of_the_code: set[str] = set()
    for where, names in NAMES:
        assert all(hasattr(where, name) for name in names), f"{where}: {names}"
        of_the_code.update(names)
    of_the_code |= {status.value for kind in STATUSES for status in kind}
    assert of_the_code - words == NOT_MODELLED
