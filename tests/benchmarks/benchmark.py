"""What a benchmark is to the run: a name, and turns that are taken one after the other in each round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.benchmarks.figures import Sample
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Stage


@dataclass(frozen=True)
class Turn:
    """One measurement; so often, at most, however many rounds there are."""

    name: str
    measure: Callable[[], Iterable[Sample]]
    rounds: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """`turns` makes ready what they need, as long as it is entered."""

    name: str
    title: str
    turns: Callable[[Stage, Sizes], AbstractContextManager[Sequence[Turn]]]
