"""`python -m tests.races`: does any claim get past an acknowledge? Exit code 1 when one did."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import click
import psycopg2
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine

from alertops.schema import migrate
from deploy.local.databases import create_database
from deploy.local.stack import PrivateStack
from tests.races.judge import Winner
from tests.races.pairs import Kind
from tests.races.run import Tally, run

CONTROL_SHARE = 10

console = Console(highlight=False, width=110)


@click.command(
    help="Race acknowledge and claim on a private Postgres, and hold every pair against what may be."
)
@click.option("--pairs", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2 * (os.cpu_count() or 1), show_default=True)
def main(*, pairs: int, seed: int, processes: int) -> None:
    root = Path(f".local/races-{os.getpid()}")
    # There is nothing to say to a broker.
    stack = PrivateStack(root, broker_url="amqp://nobody@127.0.0.1:1", report=console.log)
    try:
        with stack:
            url = _database(stack)
            real, seconds = _timed(url, pairs, seed, processes, control=False)
            control, control_seconds = _timed(
                url, max(1, pairs // CONTROL_SHARE), seed, processes, control=True
            )
    finally:
        stack.remove()
        shutil.rmtree(root)
    console.print(_table(real, seconds, control, control_seconds))
    _report_broken("The services", real)
    _report_broken("The control, which is to be caught", control)
    blind = not control.pairs_broken
    if blind:
        console.print("THE CONTROL WAS NOT CAUGHT: this run shows nothing")
    sys.exit(1 if real.pairs_broken or blind else 0)


def _database(stack: PrivateStack) -> str:
    """An empty, migrated database on a server that remembers the time of every commit."""
    url = stack.addresses.database_url
    connection = psycopg2.connect(url.replace("+psycopg2", "", 1))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    connection.close()
    stack.down()
    url = create_database(stack.up().database_url, "races")
    engine = create_engine(url)
    with engine.connect() as open_:
        migrate(open_)
    engine.dispose()
    return url


def _timed(url: str, pairs: int, seed: int, processes: int, *, control: bool) -> tuple[Tally, float]:
    began = time.monotonic()
    told = 0

    def tell(tally: Tally) -> None:
        nonlocal told
        if tally.pairs - told >= pairs // 10:
            told = tally.pairs
            what = "control" if control else "services"
            console.log(f"{what}: {tally.pairs:,} of {pairs:,} pairs, {tally.pairs_broken:,} broken")

    tally = run(url, pairs, seed=seed, processes=processes, control=control, tell=tell)
    return tally, time.monotonic() - began


def _table(real: Tally, seconds: float, control: Tally, control_seconds: float) -> Table:
    tracked = "by commit timestamps too" if real.commits_tracked else "without commit timestamps"
    table = Table(title=f"Acknowledge against claim, synchronous_commit off; order judged {tracked}")
    table.add_column("acknowledge against")
    for heading in ("pairs", "overlapped", *(f"first: {winner}" for winner in Winner), "broken", "s"):
        table.add_column(heading, justify="right")
    for kind in Kind:
        table.add_row(*_row(kind.value, real, kind), "", "")
    table.add_section()
    table.add_row(*_row("all", real, None), f"{real.pairs_broken:,}", f"{seconds:.0f}")
    table.add_row(
        *_row("control: a claim that joins", control, None),
        f"{control.pairs_broken:,}",
        f"{control_seconds:.0f}",
    )
    return table


def _row(title: str, tally: Tally, kind: Kind | None) -> list[str]:
    won = [tally.won_by(winner, kind) for winner in Winner]
    overlapped = tally.overlapped.total() if kind is None else tally.overlapped[kind]
    return [title, f"{sum(won):,}", f"{overlapped:,}", *(f"{count:,}" for count in won)]


def _report_broken(who: str, tally: Tally) -> None:
    for broken, count in tally.broken.most_common():
        console.print(f"{who}: {count:,} pairs: {broken}")
    if tally.examples and "control" not in who:
        console.print(*tally.examples, sep="\n")


if __name__ == "__main__":
    main(prog_name="python -m tests.races")
