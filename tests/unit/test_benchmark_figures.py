"""What benchmarks make of their samples: medians, ratios, verdicts, and the page that tells them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.benchmark import Turn
from tests.benchmarks.capacity import Costs, Load, needs, needs_of
from tests.benchmarks.catalogue import BENCHMARKS, ON_DEMAND
from tests.benchmarks.clients import Posted
from tests.benchmarks.contenders.contender import CHECKOUT
from tests.benchmarks.counts import Counts
from tests.benchmarks.figures import FLOOR, OURS, Figures, Sample, quantiles
from tests.benchmarks.plots import PICTURES, draw_all
from tests.benchmarks.profiled import OTHERS, functions_of, package_of, shares
from tests.benchmarks.reach import TARGETS
from tests.benchmarks.report import PAGE, filled
from tests.benchmarks.run import interleaved
from tests.benchmarks.storm import Worked
from tests.benchmarks.table import number, pivot, targets_of
from tests.benchmarks.targets import at_least, at_most, over, reached, under

ABOUT = {
    "at": "2026-01-02T03:04:05+00:00",
    "commit": "abc",
    "processors": 2,
    "memory_gib": 8,
    "load_before": 0.1,
    "python": "3",
    "postgres": "15",
    "rabbitmq": "3",
    "rounds": 3,
}


def some(*samples: Sample, benchmark: str = "escalation") -> Figures:
    figures = Figures(about=ABOUT)
    figures.add(benchmark, samples)
    return figures


def rounds(who: str, *values: float, what: str = "mails sent", case: str = "") -> list[Sample]:
    return [Sample(who, what, value, "/s", case) for value in values]


def test_a_figure_is_the_median_of_its_rounds_with_their_spread() -> None:
    (figure,) = some(*rounds(OURS, 9, 1, 2))
    assert (figure.median, figure.low, figure.high) == (2, 1, 9)


def test_cases_and_contenders_are_figures_of_their_own() -> None:
    figures = some(*rounds(OURS, 1), *rounds(OURS, 5, case="late"), *rounds(FLOOR, 7))
    assert [figure.median for figure in figures] == [1, 5, 7]
    assert figures.get("escalation", OURS, "mails sent", "late") == 5
    assert figures.get("escalation", OURS, "mails sent", "early") is None


def test_a_figure_has_one_unit() -> None:
    with pytest.raises(ValueError, match="in /s"):
        some(*rounds(OURS, 1), Sample(OURS, "mails sent", 1, "ms"))


def test_results_are_the_same_when_they_are_read_again(tmp_path: Path) -> None:
    figures = some(*rounds(OURS, 9, 1, 2), *rounds(FLOOR, 4))
    figures.write(tmp_path / "results.json")
    assert list(Figures.read(tmp_path / "results.json")) == list(figures)
    assert Figures.read(tmp_path / "results.json").about == ABOUT


def test_what_is_measured_again_takes_the_place_of_what_was_measured_before() -> None:
    before = some(*rounds(OURS, 1), *rounds(FLOOR, 2))
    before.add("ingest", rounds(OURS, 3))
    figures = before.with_those_of(some(*rounds(OURS, 9), benchmark="ingest"))
    assert [(figure.key.benchmark, figure.median) for figure in figures] == [
        ("escalation", 1),
        ("escalation", 2),
        ("ingest", 9),
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([5], (5, 5, 5)),
        (range(1, 101), (50.5, 99, 100)),
        (range(1, 201), (100.5, 198, 200)),
        ([3, 1, 2], (2, 3, 3)),
    ],
)
def test_quantiles_are_the_median_the_99th_of_a_hundred_and_the_last(
    values: list[float], told: tuple[float, float, float]
) -> None:
    assert quantiles(values) == told


def test_turns_are_interleaved_and_some_come_less_often() -> None:
    one, two = Turn("a", list), Turn("b", list, rounds=1)
    assert [(number, turn.name) for number, turn in interleaved([one, two], 2)] == [
        (1, "a"),
        (1, "b"),
        (2, "a"),
    ]


@pytest.mark.parametrize(
    ("make", "value", "verdict"),
    [
        (at_least, 2.0, "met"),
        (at_least, 1.9, "missed"),
        (over, 2.0, "missed"),
        (over, 2.1, "met"),
        (at_most, 2.0, "met"),
        (at_most, 2.1, "missed"),
        (under, 2.0, "missed"),
        (under, 1.9, "met"),
    ],
)
def test_a_bound_is_met_on_its_own_side(make: object, value: float, verdict: str) -> None:
    target = make("it", 2.0, lambda _: value)  # type: ignore[operator]
    (each,) = reached([target], Figures())
    assert each.verdict == verdict


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {row[-1] for row in targets_of(Figures()).rows} == {"not measured"}


def verdict_of(what: str, figures: Figures) -> tuple[str, str]:
    (row,) = [row for row in targets_of(figures).rows if row[0] == what]
    return row[2], row[3]


def test_ours_is_held_against_the_floor_and_the_peers_of_the_same_run() -> None:
    figures = some(*rounds(OURS, 45), *rounds(FLOOR, 100), *rounds("Celery ETA", 50))
    assert verdict_of("mails sent, of the floor", figures) == ("0.45", "met")
    assert verdict_of("mails sent, of Celery ETA's", figures) == ("0.9", "missed")


def test_lateness_is_held_against_the_peers_the_other_way_round() -> None:
    case = "50/s, 100,000 pending"
    late = [
        Sample(who, "due to sent, p99", value, "ms", case)
        for who, value in ((OURS, 20), ("Celery ETA", 10), ("Procrastinate", 5000))
    ]
    figures = some(*late, benchmark="pending")
    assert verdict_of("p99 due to sent, Celery ETA's of ours", figures) == ("0.5", "missed")
    assert verdict_of("p99 due to sent, Procrastinate's of ours", figures) == ("250", "met")


def test_processor_time_is_that_of_the_api_and_of_the_workers() -> None:
    figures = some(Sample(OURS, "CPU a step", 5, "ms"))
    assert verdict_of("CPU of our processes, HTTP to recorded outcome", figures)[1] == "not measured"
    figures.add("ingest", [Sample(OURS, "CPU an alert", 2, "ms", "one by one")])
    assert verdict_of("CPU of our processes, HTTP to recorded outcome", figures) == ("7 ms", "met")


def test_flushed_commits_are_writes_that_waited_for_the_disk() -> None:
    nothing = Counts(*(0,) * 9)
    spent = nothing._replace(writes=8, unflushed=3).since(nothing._replace(writes=1, unflushed=1))
    assert spent.flushed == 5


def test_a_mail_that_did_not_come_is_late_and_missing_and_not_sent() -> None:
    worked = Worked({"a": 100.0, "b": 101.0}, {"a": 102.0})
    assert worked.missing == 1
    assert worked.per_second == 0.5
    assert min(worked.late_ms) == 2000
    assert max(worked.late_ms) > 1e9


def test_what_was_refused_for_now_was_not_accepted() -> None:
    posted = Posted()
    posted.statuses.update({202: 3, 200: 1, 429: 5})
    assert (posted.accepted, posted.refused) == (4, 5)


def test_a_table_has_a_column_for_each_contender_and_the_share_of_the_floor() -> None:
    late = [Sample(OURS, f"due to sent, {q}", v, "ms") for q, v in (("p50", 1), ("p99", 20), ("latest", 300))]
    told = pivot(some(*rounds(FLOOR, 10), *rounds(OURS, 4, 5, 6), *late), "escalation")
    assert told.headings == ["what", "case", "", FLOOR, OURS, "of the floor"]
    assert told.rows == [
        ["mails sent", "", "/s", "10.0", "5.00 (4.00 to 6.00)", "0.50"],
        ["due to sent: p50 / p99 / latest", "", "ms", "", "1.00 / 20.0 / 300", ""],
    ]


@pytest.mark.parametrize(("value", "told"), [(0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (0.123, "0.12")])
def test_numbers_have_the_digits_that_tell_something(value: float, told: str) -> None:
    assert number(value) == told


def test_the_page_has_a_place_for_each_benchmark_and_keeps_what_was_not_measured() -> None:
    page = filled(PAGE.read_text(), some(*rounds(OURS, 1234), *rounds(FLOOR, 2468)))
    assert "| mails sent | /s | 1,234 | 2,468 | 0.50 |" in page
    assert "2026-01-02, at commit abc" in page
    for benchmark in (*BENCHMARKS, *ON_DEMAND):
        assert f"<!-- bench:{benchmark.name} -->" in page


def test_a_load_needs_in_proportion_with_room_left_on_the_processors() -> None:
    costs = Costs(
        worker_ms=6,
        api_ms=3,
        postgres_ms=3,
        broker_ms=1.2,
        log_kib=1024,
        broker_kib=2,
        waiting_kib=1,
        finished_kib=2,
    )
    needed = needs(costs, Load(per_second=100, waiting=1024))
    assert needed["processors for workers", "cores"] == pytest.approx(1)
    assert needed["memory of RabbitMQ for what waits", "MiB"] == 2
    assert needed["log that Postgres writes", "MiB/s"] == 100
    assert needs_of(Figures()) is None


def test_a_sample_belongs_to_the_innermost_package_that_is_not_pythons_own() -> None:
    library = "run (/usr/lib/python3.11/threading.py:10)"
    celery = "task (/venv/lib/python3.11/site-packages/celery/app/trace.py:453)"
    ours = f"fire_step ({CHECKOUT}/alertops/services/fire_step.py:47)"
    assert package_of(f"{library};{celery};{ours}") == "alertops/services"
    assert package_of(f"{library};{ours};{celery};{library}") == "celery"
    assert package_of(library) == OTHERS


def test_a_function_of_ours_has_the_samples_of_what_it_calls() -> None:
    step = f"fire_step ({CHECKOUT}/alertops/services/fire_step.py:47)"
    lock = f"lock ({CHECKOUT}/alertops/services/lock.py:9)"
    library = "execute (/venv/site-packages/sqlalchemy/x.py:1)"
    stacks = Counter({f"{step};{library}": 3, f"{step};{lock};{lock};{library}": 2, library: 9})
    assert functions_of(stacks) == {
        "alertops/services/fire_step.py: fire_step": 5,
        "alertops/services/lock.py: lock": 2,
    }


def test_packages_with_a_small_share_are_told_together() -> None:
    frame = "f (/venv/site-packages/{}/x.py:1)"
    stacks = Counter({frame.format("a"): 94, frame.format("b"): 1, frame.format("c"): 2, "of nobody": 3})
    assert [(sample.what, sample.value) for sample in shares("API", stacks)] == [
        ("a", 94),
        ("c", 2),
        (OTHERS, 4),
    ]


def test_every_target_is_named_once() -> None:
    names = [target.what for target in TARGETS]
    assert len(set(names)) == len(names)


def test_pictures_are_drawn_of_what_was_measured(tmp_path: Path) -> None:
    figures = some(*rounds(OURS, 1, 2), *rounds(FLOOR, 4))
    late = [Sample(OURS, "due to sent, p99", 5, "ms", f"10/s, {n} pending") for n in ("0", "10,000")]
    full = [Sample(OURS, "memory of a worker", 70, "MiB", f"{n} pending") for n in ("0", "10,000")]
    figures.add("pending", late + full)
    again = [Sample(OURS, "until all were dispatched", n, "s", f"{n},000 waiting") for n in (1, 10)]
    assert {file.name for file in draw_all(figures, tmp_path)} == {
        "bench-throughput.svg",
        "bench-lateness.svg",
        "bench-memory.svg",
    }
    figures.add("recovery", again)
    assert len(draw_all(figures, tmp_path)) == len(PICTURES)
