"""How long a run is, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Profile:
    """Executions and faults of a run; a phase is a burst of faults and the calm after it."""

    executions: int
    faults: int
    wipes: int
    burst_faults: int = 10
    burst_seconds: float = 20.0
    calm_seconds: float = 25.0

    @property
    def phases(self) -> int:
        return max(1, -(-self.faults // self.burst_faults))

    def with_(self, executions: int | None, faults: int | None) -> Self:
        """The same with other numbers; wipes keep their share."""
        faults = self.faults if faults is None else faults
        wipes = min(faults, round(self.wipes * faults / self.faults))
        return replace(self, executions=executions or self.executions, faults=faults, wipes=wipes)

    def phase_seconds(self, rate: float | None) -> float:
        """For how long alerts come in one phase: as long as it is expected to take, or at this rate."""
        if rate:
            return self.executions / self.phases / rate
        return self.burst_seconds + self.calm_seconds


PROFILES = {
    "short": Profile(executions=300, faults=30, wipes=1),
    "standard": Profile(executions=3_000, faults=150, wipes=5),
    "long": Profile(executions=10_000, faults=500, wipes=20),
}
