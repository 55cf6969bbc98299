"""What the tests measured, for the end of the report: a number says more than a bound that was kept.

Where several processes share a run, each hands over what it has to the one that reports.
"""

from __future__ import annotations

from collections.abc import Iterator

# Of steps that nothing delayed, in seconds; and whatever else is worth a sentence.
LATENESS: list[float] = []
MEASURED: list[str] = []

Handed = tuple[list[float], list[str]]


def hand_over() -> Handed:
    return LATENESS, MEASURED


def take_over(handed: Handed) -> None:
    lateness, sentences = handed
    LATENESS.extend(lateness)
    MEASURED.extend(sentences)


def sentences() -> Iterator[str]:
    if LATENESS:
        late = sorted(round(seconds * 1000) for seconds in LATENESS)
        median, p95 = (late[int(share * (len(late) - 1))] for share in (0.5, 0.95))
        yield f"{len(late)} steps on time: late by {median} ms (median), {p95} ms (p95), {late[-1]} ms (most)"
    yield from MEASURED
