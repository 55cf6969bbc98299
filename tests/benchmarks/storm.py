"""Steps that are all due in the same second: how they are worked off, whoever does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.contenders.contender import Contender, cpu_by_pid, cpu_seconds, pids_of_servers
from tests.benchmarks.sink import MailSink

# How long a contender may take for each job before it is given up.
SECONDS_EACH = 0.1
SETTLING_SECONDS = 60.0


@dataclass
class Worked:
    """What came of jobs: when each was due and when its mail came, and the processor time in between."""

    due: dict[str, float]
    arrived: dict[str, float] = field(default_factory=dict)
    mails: int = 0
    cpu_seconds: float = 0.0
    # Of the servers, by their names.
    servers_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def began(self) -> float:
        return min(self.due.values())

    @property
    def per_second(self) -> float:
        """Mails a second, from when the first was due to when the last came."""
        last = max(self.arrived.values(), default=time.time())
        return len(self.arrived) / (last - self.began)

    @property
    def late_ms(self) -> list[float]:
        """How late each mail came; one that did not come counts as late as can be told."""
        end = time.time()
        return [(self.arrived.get(job, end) - at) * 1000 for job, at in self.due.items()]

    @property
    def missing(self) -> int:
        return len(self.due) - len(self.arrived)

    def take(self, sink: MailSink) -> None:
        """Note which mails have come."""
        arrivals = sink.take()
        self.mails = len(arrivals)
        for arrival in arrivals:
            if arrival.job in self.due:
                self.arrived.setdefault(arrival.job, arrival.at)


class ScheduledTooLateError(Exception):
    """Some were due before all had been scheduled: what was measured was the scheduling."""


def work(
    contender: Contender,
    sink: MailSink,
    offsets: Sequence[float],
    lead: float,
    when_it_begins: Callable[[], None] = lambda: None,
) -> Worked:
    """Have mails sent so many seconds after a moment that is `lead` seconds ahead; wait until all have come.

    `when_it_begins` is called just before that moment. It begins again, with more time ahead, when that was
    too short to schedule them.
    """
    while True:
        try:
            return _try_to_work(contender, sink, offsets, lead, when_it_begins)
        except ScheduledTooLateError:
            lead *= 2


def all_at_once(
    contender: Contender, sink: MailSink, count: int, when_it_begins: Callable[[], None] = lambda: None
) -> Worked:
    """So many jobs, spread over one second."""
    offsets = [number / count for number in range(count)]
    return work(contender, sink, offsets, 2 + count / 1000, when_it_begins)


def _try_to_work(
    contender: Contender,
    sink: MailSink,
    offsets: Sequence[float],
    lead: float,
    when_it_begins: Callable[[], None],
) -> Worked:
    sink.take()
    begin = time.time() + lead
    due = [begin + offset for offset in offsets]
    worked = Worked(dict(zip(contender.schedule(due), due, strict=True)))
    late = time.time() > begin
    # To find the processes takes its time, and is done before there is work.
    pids, servers_pids = contender.pids, pids_of_servers(contender.room.stage)
    time.sleep(max(0.0, begin - time.time() - 0.1))
    when_it_begins()
    used = cpu_seconds(pids)
    servers = {name: cpu_by_pid(found) for name, found in servers_pids.items()}
    sink.wait_for(len(due), offsets[-1] + SETTLING_SECONDS + len(due) * SECONDS_EACH)
    worked.cpu_seconds = cpu_seconds(pids) - used
    for name, found in pids_of_servers(contender.room.stage).items():
        spent = (now - servers[name].get(pid, 0.0) for pid, now in cpu_by_pid(found).items())
        worked.servers_seconds[name] = sum(spent)
    worked.take(sink)
    if late:
        raise ScheduledTooLateError(f"{len(due)} jobs were not scheduled in {lead:g} s")
    return worked
