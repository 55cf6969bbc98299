"""The results as pictures, for docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from tests.benchmarks.figures import FLOOR, OURS, Figure, Figures

COLOURS = {OURS: "#1f6f5c", FLOOR: "#9a9a9a"}
OTHERS = ("#c8792b", "#7a5195", "#4472a8")
STYLE = {
    "svg.hashsalt": "alertops",  # the same figures give the same file
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_all(figures: Figures, folder: Path) -> list[Path]:
    """Draw what the run has figures for; the files that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.use("Agg")
    drawn = []
    with mpl.rc_context(STYLE):
        for name, draw in PICTURES.items():
            picture = Picture(figsize=(7.5, 3.6), layout="constrained")
            if draw(picture.subplots(), figures):
                file = folder / f"bench-{name}.svg"
                picture.savefig(file, metadata={"Date": None})
                drawn.append(file)
    return drawn


def throughput(axes: Axes, figures: Figures) -> bool:
    found = [f for f in figures.of("escalation") if f.key.what == "mails sent"]
    for place, figure in enumerate(found):
        axes.barh(place, figure.median, color=_colour(figure.key.who, place), xerr=_spread(figure), capsize=3)
    axes.set_yticks(range(len(found)), [figure.key.who for figure in found])
    axes.invert_yaxis()
    axes.set_xlabel("mails sent a second, all due at once: median, least and most")
    return bool(found)


def lateness(axes: Axes, figures: Figures) -> bool:
    """Ours and the peers at the rate at which both were measured, or ours alone."""
    found = [f for f in figures.of("pending") if f.key.what == "due to sent, p99" and "/s, " in f.key.case]
    contenders = list(dict.fromkeys(figure.key.who for figure in found))
    for place, who in enumerate(contenders):
        for rate in dict.fromkeys(_rate(f) for f in found if f.key.who == who):
            line = [f for f in found if f.key.who == who and _rate(f) == rate]
            axes.plot(
                [_pending(f) for f in line],
                [f.median for f in line],
                marker="o",
                color=_colour(who, place),
                alpha=1 if who != OURS else 0.35 + 0.65 * rate / max(map(_rate, found)),
                label=f"{who}, {rate}/s",
            )
    axes.set_xscale("symlog", linthresh=1000)
    axes.set_yscale("log")
    axes.set_xlabel("other steps pending")
    axes.set_ylabel("due to sent, p99, in ms")
    if found:
        axes.legend(fontsize=8, ncols=2)
    return bool(found)


def memory(axes: Axes, figures: Figures) -> bool:
    found = [f for f in figures.of("pending") if f.key.what == "memory of a worker"]
    for place, who in enumerate(dict.fromkeys(f.key.who for f in found)):
        line = [f for f in found if f.key.who == who]
        pending = [_pending(f) for f in line]
        axes.plot(pending, [f.median for f in line], marker="o", color=_colour(who, place), label=who)
    axes.set_xscale("symlog", linthresh=1000)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("steps pending")
    axes.set_ylabel("memory of a worker, MiB")
    if found:
        axes.legend(fontsize=8)
    return bool(found)


def recovery(axes: Axes, figures: Figures) -> bool:
    found = [f for f in figures.of("recovery") if f.key.what == "until all were dispatched"]
    if not found:
        return False
    waiting = [_pending(f) for f in found]
    seconds = [f.median for f in found]
    axes.plot(waiting, seconds, marker="o", color=COLOURS[OURS], label="measured")
    linear = [seconds[-1] * rows / waiting[-1] for rows in waiting]
    axes.plot(waiting, linear, linestyle=":", color=COLOURS[FLOOR], label="linear")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("waiting steps")
    axes.set_ylabel("seconds until all were dispatched")
    axes.legend(fontsize=8)
    return True


PICTURES: dict[str, Callable[[Axes, Figures], bool]] = {
    "throughput": throughput,
    "lateness": lateness,
    "memory": memory,
    "recovery": recovery,
}


def _colour(who: str, place: int) -> str:
    return COLOURS.get(who, OTHERS[place % len(OTHERS)])


def _spread(figure: Figure) -> Sequence[Sequence[float]]:
    return [[figure.median - figure.low], [figure.high - figure.median]]


def _rate(figure: Figure) -> int:
    return int(figure.key.case.partition("/s")[0])


def _pending(figure: Figure) -> int:
    """The number before the last word: of "50/s, 10,000 pending", and of "10,000 waiting"."""
    return int(figure.key.case.rsplit(" ", 2)[-2].replace(",", ""))
