"""What was measured: samples by the round, summed up as medians with their spread."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

OURS = "AlertOps"
FLOOR = "floor"


class Sample(NamedTuple):
    """One value of one round: whose it is, of what, and in which case ("50 steps/s, 0 pending")."""

    who: str
    what: str
    value: float
    unit: str
    case: str = ""


class Key(NamedTuple):
    """What names a figure within a run."""

    benchmark: str
    who: str
    what: str
    case: str = ""


@dataclass(frozen=True)
class Figure:
    """The values of all rounds."""

    key: Key
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


@dataclass
class Figures:
    """All that a run measured, in the order in which it came, and what it was measured on."""

    about: Mapping[str, Any] = field(default_factory=dict)
    _values: dict[Key, tuple[str, list[float]]] = field(default_factory=dict)

    def add(self, benchmark: str, samples: Iterable[Sample]) -> None:
        for who, what, value, unit, case in samples:
            key = Key(benchmark, who, what, case)
            known, values = self._values.setdefault(key, (unit, []))
            if known != unit:
                raise ValueError(f"{key} was in {known}, and is in {unit} now")
            values.append(value)

    def __iter__(self) -> Iterator[Figure]:
        for key, (unit, values) in self._values.items():
            yield Figure(key, unit, tuple(values))

    def of(self, benchmark: str) -> list[Figure]:
        return [figure for figure in self if figure.key.benchmark == benchmark]

    def get(self, benchmark: str, who: str, what: str, case: str = "") -> float | None:
        """The median of a figure, or None when this run did not measure it."""
        found = self._values.get(Key(benchmark, who, what, case))
        return statistics.median(found[1]) if found else None

    def with_those_of(self, newer: Figures) -> Figures:
        """These, but of the benchmarks that the newer ones are of, the newer ones."""
        measured = {figure.key.benchmark for figure in newer}
        kept = {key: told for key, told in self._values.items() if key.benchmark not in measured}
        return Figures(self.about, kept | newer._values)

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        figures = [{**figure.key._asdict(), "unit": figure.unit, "values": figure.values} for figure in self]
        file.write_text(json.dumps({"about": self.about, "figures": figures}, indent=1) + "\n")

    @classmethod
    def read(cls, file: Path) -> Figures:
        told = json.loads(file.read_text())
        figures = cls(about=told["about"])
        for each in told["figures"]:
            benchmark, unit, values = each.pop("benchmark"), each.pop("unit"), each.pop("values")
            figures.add(benchmark, (Sample(value=value, unit=unit, **each) for value in values))
        return figures


def quantiles(values: Iterable[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile (nearest rank) and the largest."""
    ordered = sorted(values)
    rank = min(len(ordered) - 1, -(-99 * len(ordered) // 100) - 1)
    return statistics.median(ordered), ordered[rank], ordered[-1]
