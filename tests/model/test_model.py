"""The protocol keeps its promises in every run that the model has; without any one mechanism it does not.

The exhaustive searches visit every state; their bounds are in the model. docs/model/README.md explains.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alertops import services
from alertops.escalation import machine, operations, state, states
from alertops.models import Attempt, Execution, Step, Timer
from alertops.services import (
    acknowledge,
    claim_attempt,
    escalate,
    fire_step,
    fire_timer,
    operate,
    reassign,
    rebase,
    record_outcome,
    recover,
    resolve,
    snooze,
    start_execution,
    transitions,
)
from tests.model.spin import COURSE, ESCALATION, Report, search_all, search_shortest

# Two claims instead of three where the broker, recovery and both kinds of mark multiply the states.
TWO_CLAIMS = "MAX_CLAIMS=2"

# One operation instead of two, for the same reason.
ONE_OPERATION = "OPERATIONS=1"

# (the model and its settings; how many states it has at least; the question)
WORLDS: list[tuple[Path, tuple[str, ...], int, str]] = [
    (ESCALATION, (), 4_000_000, "woken by anybody for anything at any time"),
    (ESCALATION, ("BROKER", TWO_CLAIMS), 800_000, "workers die; nothing is late"),
    (ESCALATION, ("BROKER", "LOSES", TWO_CLAIMS), 3_000_000, "messages are lost; no alert is"),
    (ESCALATION, ("BROKER", "NO_FAULTS", "NO_RECOVERY"), 2_900, "no faults; recovery is not needed"),
    (COURSE, (), 490_000, "woken by anybody for anything at any time"),
    (COURSE, ("BROKER", ONE_OPERATION), 390_000, "workers and the API die; nothing is late"),
    (COURSE, ("BROKER", "LOSES", ONE_OPERATION), 1_400_000, "messages are lost; nobody is forgotten"),
    (COURSE, ("BROKER", "NO_FAULTS", "NO_RECOVERY"), 30_000, "no faults; recovery is not needed"),
]

# (what is taken away, and in which world; the promise that breaks)
ESCALATION_VARIANTS = [
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
COURSE_VARIANTS = [
    (("DUE_NOT_CHECKED",), "never_early"),
    (("TIMER_DUE_NOT_CHECKED",), "never_early"),
    (("NO_GUARD_ON_TIMER",), "a_cancelled_timer_is_silent"),
    (("WAITING_IS_LEFT",), "one_step_waits"),
    (("TIMERS_ARE_LEFT",), "one_timer_of_a_kind"),
    (("FIRST_STEP_NOT_CHECKED",), "the_old_course_is_left"),
    (("NO_LOCK_AT_THE_MARK",), "silence_after_acknowledge"),
    (("COMES_BACK_IN_A_SECOND_TRANSACTION",), "never_lost"),
    (("TIMER_IN_A_SECOND_TRANSACTION",), "never_lost"),
    (("BROKER", "LOSES", "RECOVERY_FORGETS_TIMERS"), "never_lost"),
    # Not a mechanism that is missing, but one that is not there.
    (("BROKER", ONE_OPERATION, "REPLANNED_ON_TIME_TOO"), "on_time"),
]
VARIANTS = [(ESCALATION, (TWO_CLAIMS, *settings), promise) for settings, promise in ESCALATION_VARIANTS]
VARIANTS += [(COURSE, settings, promise) for settings, promise in COURSE_VARIANTS]

# A line with a label.
NAMED = re.compile(r"\w+:\s")

STATUSES = (states.ExecutionStatus, states.StepStatus, states.AttemptStatus)

# What a file of services is called, it does.
SERVICES = (
    *(start_execution, fire_step, fire_timer, claim_attempt, record_outcome, recover),
    *(operate, acknowledge, snooze, escalate, reassign, rebase, resolve),
)

# Where each name of the models is defined in the code.
NAMES: list[tuple[object, set[str]]] = [
    (services, {service.__name__.rpartition(".")[2] for service in SERVICES}),
    (
        transitions,
        {"insert_step", "fire_step", "bring_step_forward", "claim_attempt", "mark_transmit", "end_attempt"},
    ),
    (transitions, {"replan_step", "insert_timer", "fire_timer", "cancel_timers"}),
    (machine, {"MAX_CLAIMS", "_settle", "_settle_target"}),
    (operations, {"come_back"}),
    (state.Leg(), {"last_number"}),
    (Attempt, {"claim_number", "lease_until", "transmit_at", "may_repeat", "dispatched_at"}),
    (Step, {"dispatched_at"}),
    (Execution, {"first_step"}),
    (Timer, {"kind"}),
]


@pytest.mark.parametrize(
    ("model", "settings", "at_least"),
    [world[:3] for world in WORLDS],
    ids=[f"{model.stem}: {question}" for model, *_, question in WORLDS],
)
def test_every_promise_holds_in_every_state(
    tmp_path: Path, model: Path, settings: tuple[str, ...], at_least: int
) -> None:
    report = search_all(tmp_path, model, *settings)
    assert report.errors == 0, report.text
    assert report.complete, report.text
    # A model that lost most of its behaviour would keep its promises too.
    assert report.states > at_least
    if not settings:
        people = "acknowledge" if model == ESCALATION else "operate"
        _every_action_happened(report, model, "worker", "clock", people)
    if "LOSES" in settings:
        # Nobody answers in this world, so its workers cannot do all that they can do in the first.
        _every_action_happened(report, model, "recover", "broker_loses", "clock")


def _every_action_happened(report: Report, model: Path, *processes: str) -> None:
    """Nothing was unreachable but what cannot happen, which the model says of itself: `never:`.

    Of the second model only lines that have a name are asked for: what it uses in many places, as inserting a
    step, cannot go every way in each of them.
    """
    lines = model.read_text().splitlines()
    for process in processes:
        for number, statement in report.unreached(process).items():
            line = lines[number - 1]
            counts = model == ESCALATION or NAMED.match(line)
            assert not counts or "never:" in line or statement == "-end-", f"{process}:{number} {statement}"


@pytest.mark.parametrize(
    ("model", "settings", "promise"),
    VARIANTS,
    ids=[f"{model.stem} {settings[-1]}" for model, settings, _ in VARIANTS],
)
def test_without_the_mechanism_a_promise_breaks(
    tmp_path: Path, model: Path, settings: tuple[str, ...], promise: str
) -> None:
    report = search_shortest(tmp_path, model, *settings)
    assert report.broken == promise, report.text


@pytest.mark.parametrize("model", [ESCALATION, COURSE], ids=lambda model: model.stem)
def test_every_variant_of_the_model_is_checked(model: Path) -> None:
    """An #ifdef that no test defines would be dead text."""
    conditions = set(re.findall(r"^#ifn?def (\w+)", model.read_text(), re.MULTILINE))
    bounds = {"STEPS", "MAX_ATTEMPTS", "MAX_CLAIMS", "OPERATIONS"}
    tried = [*(world[:2] for world in WORLDS), *(variant[:2] for variant in VARIANTS)]
    used = {setting.split("=")[0] for of, settings in tried if of == model for setting in settings}
    assert conditions - bounds == used - bounds


def test_the_words_of_the_models_are_those_of_the_code() -> None:
    """A renaming in the code must reach the models, and one in a model the code."""
    words = set(re.findall(r"\w+", ESCALATION.read_text() + COURSE.read_text()))
    of_the_code: set[str] = set()
    for where, names in NAMES:
        assert all(hasattr(where, name) for name in names), f"{where}: {names}"
        of_the_code.update(names)
    of_the_code |= {status.value for kind in STATUSES for status in kind}
    of_the_code |= {kind.name for kind in states.TimerKind}
    assert of_the_code <= words
