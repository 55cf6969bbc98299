"""Jobs that are due at an even pace, and are scheduled at it, each the same time ahead: as alerts come.

Had all been scheduled at once, the broker's delay layer would move what is left of them from queue to queue
in the same instant of each second, and what is late would be late because of that.
"""

from __future__ import annotations

import time

from tests.benchmarks.contenders.contender import Contender
from tests.benchmarks.sink import MailSink
from tests.benchmarks.storm import SETTLING_SECONDS, ScheduledTooLateError, Worked

# What is due within such a slice is scheduled together.
SLICE_SECONDS = 0.1


def at_pace(contender: Contender, sink: MailSink, rate: int, seconds: float, ahead: float) -> Worked:
    """So many mails a second, for so many seconds; each job is scheduled `ahead` seconds before it is due."""
    sink.take()
    worked = Worked({})
    begin = time.time() + ahead
    for offsets in _slices(rate, seconds):
        due = [begin + offset for offset in offsets]
        time.sleep(max(0.0, due[0] - ahead - time.time()))
        worked.due.update(zip(contender.schedule(due), due, strict=True))
        if time.time() > due[0]:
            raise ScheduledTooLateError(f"{rate} jobs a second are more than {contender.name} can schedule")
    sink.wait_for(len(worked.due), ahead + SETTLING_SECONDS)
    worked.take(sink)
    return worked


def _slices(rate: int, seconds: float) -> list[list[float]]:
    slices: dict[int, list[float]] = {}
    for number in range(round(rate * seconds)):
        slices.setdefault(int(number / rate / SLICE_SECONDS), []).append(number / rate)
    return list(slices.values())
