"""Where the processor time goes: which packages have the interpreter, in each kind of process that is busy.

py-spy looks a hundred times a second at which thread holds the interpreter, and where it is. A sample belongs
to the package of its innermost frame; what the standard library does belongs to whoever called it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.benchmark import Benchmark, Turn
from tests.benchmarks.clients import Target, post_for
from tests.benchmarks.contenders.contender import CHECKOUT
from tests.benchmarks.contenders.ours import Ours, start
from tests.benchmarks.door import open_door
from tests.benchmarks.figures import Sample
from tests.benchmarks.ingest import CLIENTS, FAR_SECONDS, ONE
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.stage import Stage
from tests.benchmarks.storm import all_at_once

PY_SPY = Path(sys.executable).with_name("py-spy")
FRAME = re.compile(r"\((?P<file>[^()]*?)(?::\d+)?\)$")
# Below this share a package is one of the others.
LEAST = 0.02
OTHERS = "everything else"
# Of our functions, those in which most of the samples are, with all that they call.
MOST_FUNCTIONS = 12
CALLED = "with what it calls"
Stacks = Counter[str]
OUR_OWN = ("alertops/services", "alertops/channels", "alertops/models", "alertops", "tasks", "api")


@contextmanager
def turns(stage: Stage, sizes: Sizes) -> Iterator[Sequence[Turn]]:
    with stage.room("profile") as room:
        ours = Ours(room)
        ours.prepare()
        try:
            start([ours.fleet.api, *ours.fleet.workers])
            yield [
                Turn("workers", partial(_workers, ours, sizes), rounds=1),
                Turn("API", partial(_api, ours, sizes), rounds=1),
            ]
        finally:
            ours.fleet.api.kill()
            ours.stop()


BENCHMARK = Benchmark("profile", "Who has the interpreter, in each kind of process", turns)


def _workers(ours: Ours, sizes: Sizes) -> Iterator[Sample]:
    host = ours.fleet.hosts["a"]
    looking: dict[str, Future[Stacks]] = {}
    with ThreadPoolExecutor() as lookers:

        def begin() -> None:
            for who, pid in (("fire worker", host.fire.pid), ("send worker", host.send.pid)):
                looking[who] = lookers.submit(record, pid, 2 * sizes.seconds, ours.room.folder)

        all_at_once(ours, ours.room.stage.sink, sizes.backlog, begin)
    for who, stacks in looking.items():
        yield from shares(who, stacks.result())


def _api(ours: Ours, sizes: Sizes) -> Iterator[Sample]:
    door = open_door(ours, "profiled", delay_seconds=FAR_SECONDS)
    target = Target(door.one, door.key)
    # The first process only watches over the others, which answer.
    pid = next(pid for pid in ours.fleet.api.pids if pid != ours.fleet.api.pid)
    with ThreadPoolExecutor() as lookers:
        stacks = lookers.submit(record, pid, 2 * sizes.seconds, ours.room.folder)
        post_for(target, lambda: ONE, clients=CLIENTS, seconds=2 * sizes.seconds + 1)
    yield from shares("API", stacks.result())


def record(pid: int, seconds: float, folder: Path) -> Stacks:
    """How often each stack held the interpreter; nothing where this system lets nobody look."""
    file = folder / f"profile-{pid}.txt"
    options = ("--gil", "--format", "raw", "--full-filenames", "--nonblocking", "--rate", "100")
    duration = ("--duration", str(max(1, round(seconds))))
    done = subprocess.run(  # noqa: S603  a program of our own environment
        [PY_SPY, "record", *options, *duration, "--pid", str(pid), "--output", file],
        capture_output=True,
        check=False,
    )
    stacks: Stacks = Counter()
    if done.returncode == 0 and file.exists():
        for line in file.read_text().splitlines():
            stack, _, times = line.rpartition(" ")
            stacks[stack] += int(times)
    return stacks


def shares(who: str, stacks: Stacks) -> Iterator[Sample]:
    """What share of the samples each package has, the largest first."""
    packages: Counter[str] = Counter()
    for stack, times in stacks.items():
        packages[package_of(stack)] += times
    total = packages.total()
    others = packages.pop(OTHERS, 0)
    others += sum(times for times in packages.values() if times < LEAST * total)
    for package, times in packages.most_common():
        if times >= LEAST * total:
            yield Sample(who, package, times * 100 / total, "%")
    if others:
        yield Sample(who, OTHERS, others * 100 / total, "%")
    for function, times in functions_of(stacks).most_common(MOST_FUNCTIONS):
        if times >= LEAST * total:
            yield Sample(who, function, times * 100 / total, "%", CALLED)


def functions_of(stacks: Stacks) -> Counter[str]:
    """How many of the samples were in each function of ours, or in what it called."""
    functions: Counter[str] = Counter()
    for stack, times in stacks.items():
        named = {_function(frame) for frame in stack.split(";")} - {None}
        functions.update(dict.fromkeys(filter(None, named), times))
    return functions


def _function(frame: str) -> str | None:
    """`alertops/services/fire_step.py: fire_step`; None when it is not of ours."""
    found = FRAME.search(frame)
    if found is None or _package(found["file"]) not in OUR_OWN:
        return None
    name = frame[: found.start()].strip()
    return None if "<" in name else f"{found['file'].removeprefix(f'{CHECKOUT}/')}: {name}"


def package_of(stack: str) -> str:
    """The package of the innermost frame that is not of the standard library."""
    for frame in reversed(stack.split(";")):
        found = FRAME.search(frame)
        package = _package(found["file"]) if found else None
        if package is not None:
            return package
    return OTHERS


def _package(file: str) -> str | None:
    _, installed, path = file.partition("/site-packages/")
    if installed:
        return path.split("/")[0].removesuffix(".py")
    if not file.startswith(f"{CHECKOUT}/"):
        return None
    inside = file.removeprefix(f"{CHECKOUT}/")
    return next((place for place in OUR_OWN if inside.startswith(place)), None)
