"""What is to be reached, as ratios and bounds within one run, and whether it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.figures import Figures

Measure = Callable[[Figures], float | None]


@dataclass(frozen=True)
class Target:
    """`measure` is None when the run did not measure it."""

    what: str
    measure: Measure
    limit: float
    at_least: bool
    unit: str = ""
    # Whether the limit itself is missed: "under 5 ms" is.
    strictly: bool = True

    @property
    def wanted(self) -> str:
        words = {
            (True, False): "at least",
            (True, True): "over",
            (False, False): "at most",
            (False, True): "under",
        }
        return f"{words[self.at_least, self.strictly]} {self.limit:,g} {self.unit}".strip()

    def is_met(self, value: float) -> bool:
        if value == self.limit:
            return not self.strictly
        return (value > self.limit) == self.at_least


@dataclass(frozen=True)
class Reached:
    """What a run has to say about a target."""

    target: Target
    value: float | None

    @property
    def shown(self) -> str:
        return "" if self.value is None else f"{self.value:,.3g} {self.target.unit}".strip()

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        return "met" if self.target.is_met(self.value) else "missed"


def reached(targets: Sequence[Target], figures: Figures) -> list[Reached]:
    """Every target, with what was measured of it."""
    return [Reached(target, target.measure(figures)) for target in targets]


def at_least(what: str, limit: float, measure: Measure, unit: str = "") -> Target:
    return Target(what, measure, limit, at_least=True, unit=unit, strictly=False)


def over(what: str, limit: float, measure: Measure, unit: str = "") -> Target:
    return Target(what, measure, limit, at_least=True, unit=unit)


def at_most(what: str, limit: float, measure: Measure, unit: str = "") -> Target:
    return Target(what, measure, limit, at_least=False, unit=unit, strictly=False)


def under(what: str, limit: float, measure: Measure, unit: str = "") -> Target:
    return Target(what, measure, limit, at_least=False, unit=unit)
