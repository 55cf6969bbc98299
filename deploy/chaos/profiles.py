"""How long a run is, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Profile:
    """Executions and faults of a run; a phase is a burst of faults and the calm after it.

    Before the first, lateness is measured for `undisturbed_seconds`; `judges_lateness` makes a run fail that
    is later than the target, which a machine that does other things at the same time may be.
    """

    executions: int
    faults: int
    wipes: int
    undisturbed_seconds: float
    judges_lateness: bool
    fewest_nodes: int = 4
    most_nodes: int = 4
    burst_faults: int = 10
    burst_seconds: float = 20.0
    calm_seconds: float = 25.0

    @property
    def phases(self) -> int:
        return max(1, -(-self.faults // self.burst_faults))

    def with_(
        self, executions: int | None, faults: int | None, undisturbed_seconds: float | None = None
    ) -> Self:
        """The same with other numbers; wipes keep their share."""
        faults = self.faults if faults is None else faults
        return replace(
            self,
            executions=executions or self.executions,
            faults=faults,
            wipes=min(faults, round(self.wipes * faults / self.faults)),
            undisturbed_seconds=(
                self.undisturbed_seconds if undisturbed_seconds is None else undisturbed_seconds
            ),
        )

    def phase_seconds(self, rate: float | None) -> float:
        """For how long alerts come in one phase: as long as it is expected to take, or at this rate."""
        if rate:
            return self.executions / self.phases / rate
        return self.burst_seconds + self.calm_seconds


PROFILES = {
    "short": Profile(
        executions=300,
        faults=36,
        wipes=1,
        undisturbed_seconds=6,
        judges_lateness=False,
        fewest_nodes=2,
        burst_faults=12,
        calm_seconds=22.0,
    ),
    "standard": Profile(executions=3_000, faults=150, wipes=5, undisturbed_seconds=30, judges_lateness=True),
    "long": Profile(executions=10_000, faults=500, wipes=20, undisturbed_seconds=60, judges_lateness=True),
}
