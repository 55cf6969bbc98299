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
    pytest.param(("BROKER", TWO_CLAIMS), 900_000, id="workers die; nothing is late"),
    pytest.param(("BROKER", "LOSES", TWO_CLAIMS), 3_000_000, id="messages are lost; no alert is"),
    pytest.param(("BROKER", "NO_FAULTS", "NO_RECOVERY"), 3_000, id="no faults; recovery is not needed"),
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
    (("NO_TRANSMIT_MARK",), "a_repeat_is_announced"),
    (("LEASE_NOT_CHECKED",), "no_claim_of_a_live_lease"),
    (("BROKER", "LOSES", "NO_RECOVERY"), "never_lost"),
    (("BROKER", "LOSES", "RUNNER_HANGS"), "never_lost"),
    (("BROKER", "NO_DISPATCH_MARK"), "on_time"),
    (("BROKER", "MARK_BEFORE_PUBLISH"), "on_time"),
    (("BROKER", "NO_FAULTS", "NO_RECOVERY", "PUBLISH_BEFORE_COMMIT"), "on_time"),
]

KNOWN_GAP = {"CHECK_UNCERTAIN_IS_SAID", "UNCERTAIN_STAYS_UNKNOWN"}

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
        _every_action_happened(report, "start_execution", "recover", "broker_loses", "clock")


def _every_action_happened(report: Report, *processes: str) -> None:
    """Nothing was unreachable but what cannot happen, which the model says of itself: `never:`."""
    lines = MODEL.read_text().splitlines()
    for process in processes:
        for number, statement in report.unreached(process).items():
            assert "never:" in lines[number - 1] or statement == "-end-", f"{process}:{number} {statement}"


@pytest.mark.parametrize(("settings", "promise"), VARIANTS, ids=lambda value: value[-1] if value else "")
def test_without_the_mechanism_a_promise_breaks(
    tmp_path: Path, settings: tuple[str, ...], promise: str
) -> None:
    report = search_shortest(tmp_path, TWO_CLAIMS, *settings)
    assert report.broken == promise, report.text


def test_every_variant_of_the_model_is_checked() -> None:
    """An #ifdef that no test defines would be dead text."""
    conditions = set(re.findall(r"#ifn?def (\w+)", MODEL.read_text()))
    bounds = {"STEPS", "MAX_ATTEMPTS", "MAX_CLAIMS"}
    used = {setting for settings, _ in VARIANTS for setting in settings} | KNOWN_GAP
    assert conditions - bounds == used


def test_known_gap_what_may_have_arrived_can_be_recorded_as_failed(tmp_path: Path) -> None:
    """The code as it is; when it is changed, make UNCERTAIN_STAYS_UNKNOWN the model and delete this."""
    report = search_shortest(tmp_path, TWO_CLAIMS, "CHECK_UNCERTAIN_IS_SAID")
    assert report.broken == "uncertain_is_said", report.text


def test_the_gap_is_closed_by_recording_unknown(tmp_path: Path) -> None:
    report = search_all(tmp_path, TWO_CLAIMS, *KNOWN_GAP)
    assert (report.errors, report.complete) == (0, True), report.text


def test_the_words_of_the_model_are_those_of_the_code() -> None:
    """A renaming in the code must reach the model, and one in the model the code."""
    words = set(re.findall(r"\w+", MODEL.read_text()))
    of_the_code: set[str] = set()
    for where, names in NAMES:
        assert all(hasattr(where, name) for name in names), f"{where}: {names}"
        of_the_code.update(names)
    of_the_code |= {status.value for kind in STATUSES for status in kind}
    assert of_the_code - words == NOT_MODELLED
