"""By when something must have happened, given the faults; and which moments lie outside of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

Window = tuple[datetime, datetime]


@dataclass(frozen=True)
class Calm:
    """What lies between the windows of faults."""

    windows: tuple[Window, ...]

    @classmethod
    def between(cls, windows: Iterable[Window]) -> Calm:
        """Windows that overlap are taken together."""
        merged: list[Window] = []
        for start, end in sorted(windows):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return cls(tuple(merged))

    def deadline(self, due_at: datetime, patience: timedelta) -> datetime:
        """The end of the first stretch of calm of this length after the time."""
        for start, end in self.windows:
            if start >= due_at + patience:
                break
            due_at = max(due_at, end)
        return due_at + patience

    def waited(self, due_at: datetime, until: datetime) -> timedelta:
        """The longest stretch of calm between the two times."""
        return max((end - start for start, end in self._stretches(due_at, until)), default=timedelta(0))

    def is_calm(self, at: datetime, recovery: timedelta) -> bool:
        """Whether no fault was going on then, nor so shortly before."""
        return all(at < start or at > end + recovery for start, end in self.windows)

    def _stretches(self, start: datetime, end: datetime) -> Iterator[Window]:
        for fault_start, fault_end in self.windows:
            if fault_end <= start:
                continue
            if fault_start >= end:
                break
            if fault_start > start:
                yield start, fault_start
            start = fault_end
        if start < end:
            yield start, end
