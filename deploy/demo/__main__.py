"""`python -m deploy.demo`: watch alerts escalate through faults, and have the promises checked.

Exits with 1 when a promise was broken, or when something did not work at all.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.live import Live
from sqlalchemy import create_engine

from alertops.db import session_factory
from alertops.schema import migrate
from deploy.demo.scenario import script_mailboxes
from deploy.demo.screen import frame, mailbox, summary
from deploy.demo.story import Shown, Story
from deploy.local.client import Client
from deploy.local.errors import LocalStackError
from deploy.local.fleet import Fleet
from deploy.local.progress import Report
from deploy.local.promises import Message, Verdict, check_promises
from deploy.local.smtp_sink import SmtpSink
from deploy.local.stack import Addresses, stack_from_environment

ROOT = Path(".local/demo")


def main() -> int:
    console = Console(highlight=False)
    began = time.monotonic()

    def tell(sentence: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:5.1f} s[/dim]  {sentence}")

    try:
        with stack_from_environment(ROOT, tell) as stack, SmtpSink() as sink:
            script_mailboxes(sink)
            with _fleet(stack.addresses, sink.port, tell) as fleet:
                shown, ids = _play(console, fleet, sink, tell)
            verdict = _check(stack.addresses.database_url, sink, ids)
            console.print(frame(shown))
            console.print(mailbox(sink.alerts, shown))
            console.print(summary(verdict, sink.alerts, sink.events))
    except LocalStackError as error:
        console.print(f"[red]{error}[/red]")
        return 1
    return 1 if verdict.broken or not verdict.checked else 0


@contextmanager
def _fleet(addresses: Addresses, smtp_port: int, tell: Report) -> Iterator[Fleet]:
    """The API, two worker hosts and Flower, as long as the story lasts."""
    tell("Migrating the database ...")
    engine = create_engine(addresses.database_url)
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    fleet = Fleet(ROOT, addresses, smtp_port=smtp_port)
    fleet.stop()  # what an interrupted run has left
    tell("Starting the API, two worker hosts and Flower ...")
    try:
        fleet.start()
        fleet.wait_ready()
        name, password = fleet.flower_credentials
        tell(f"Swagger UI is at {fleet.api_url}/docs, Flower at {fleet.flower_url} ({name}, {password})")
        yield fleet
    finally:
        tell("Stopping the fleet ...")
        fleet.stop()


def _play(console: Console, fleet: Fleet, sink: SmtpSink, tell: Report) -> tuple[Shown, list[UUID]]:
    """Run the story on the screen; the executions as they ended, and their ids."""
    client = Client(fleet.api_url)
    user = f"demo-{secrets.token_hex(4)}@example.org"
    client.sign_in("Demo", user, secrets.token_urlsafe(16))
    with Live(console=console, auto_refresh=False, transient=True) as live:
        story = Story(client, fleet, sink, lambda seen: live.update(frame(seen), refresh=True), tell)
        shown = story.run()
    return shown, [UUID(id_) for id_ in story.ids]


def _check(database_url: str, sink: SmtpSink, ids: Sequence[UUID]) -> Verdict:
    """Hold the rows against what the mail server received."""
    mails = [Message.mailed(received.received_at, received.message) for received in sink.alerts]
    with session_factory(database_url)() as session:
        return check_promises(session, mails, ids)


if __name__ == "__main__":
    sys.exit(main())
