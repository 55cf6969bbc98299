"""`alertops workers`: which workers answer, and do they hear their queues?"""

from __future__ import annotations

from collections.abc import Iterator

import click

from alertops.cli.broker import BROKER_URL, connected
from tasks import roll_call
from tasks.roll_call import Answer


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@BROKER_URL
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 60),
    default=2.0,
    show_default=True,
    help="Seconds to wait for answers.",
)
def workers(names: tuple[str, ...], broker_url: str, timeout: float) -> None:
    """Ask all workers, or those with these names (fire@host), how well they hear.

    Exits with 1 when none answers, one that was named does not, or one is deaf: a deaf worker is
    connected but is not given messages, and ends by itself a few seconds later, to be started again.
    """
    with connected(broker_url) as connection:
        answers = roll_call.call(connection, list(names), timeout)
    for answer in answers:
        for line in _lines(answer):
            click.echo(line)
    silent = sorted(set(names) - {answer.worker for answer in answers})
    for name in silent:
        click.echo(f"{name}  does not answer")
    if not answers and not names:
        click.echo("No worker answers.")
    if silent or not answers or any(answer.deaf for answer in answers):
        raise click.exceptions.Exit(1)


def _lines(answer: Answer) -> Iterator[str]:
    if not answer.queues:
        yield f"{answer.worker}  answers, and sends no canaries"
    for heard in answer.queues:
        state = "DEAF" if heard.deaf else "hears"
        yield (
            f"{answer.worker}  {state} {heard.queue}: "
            f"{heard.seconds_ago:.0f} s ago, {heard.missed} canaries missed since"
        )
