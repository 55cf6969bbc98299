"""Faults of the network: links that are cut, slowed, frozen or half-open, and hosts that fall silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from deploy.chaos.proxy import Link
from deploy.chaos.schedule import PlannedFault
from deploy.chaos.system import System, revive

# Two heartbeats of 10 s that do not come, and what it takes to miss the first.
NOTICED_SECONDS = 60.0
SLOWED_SECONDS = 0.25
# For how long the worst moment for a host to lose its power is waited for.
STRETCHED_SECONDS = 3.0
OPEN_TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE client_port = ANY(:ports) AND state = 'idle in transaction'
"""


@contextmanager
def _mended(*links: Link) -> Iterator[None]:
    """Whatever is done to the links, or fails, is over afterwards."""
    try:
        yield
    finally:
        for link in links:
            link.mend()


def host_lost_power(system: System, fault: PlannedFault) -> None:
    """Unlike after a kill, no kernel is left that would end the host's connections."""
    host = system.fleet.hosts[fault.target]
    links = system.links_of(fault.target)
    with _mended(*links):
        for link in links:
            link.slow(SLOWED_SECONDS)
        _await_transaction(system, system.links[f"{fault.target}-database"])
        for link in links:
            link.lose_client_side(frozen=True)
        host.kill()
        time.sleep(fault.seconds)
    for worker in host.services:
        revive(worker)
    _await_notice(links[0])


def _await_notice(link: Link) -> None:
    """Wait until the server has noticed by itself which of its connections are dead.

    Until then a broker hands messages to consumers that are gone: it is not well before.
    """
    deadline = time.monotonic() + NOTICED_SECONDS
    while link.server_is_deceived and time.monotonic() < deadline:
        time.sleep(0.1)


def _await_transaction(system: System, link: Link) -> None:
    """Wait for the worst moment, at which somebody behind the link has a transaction open."""
    deadline = time.monotonic() + STRETCHED_SECONDS
    query = text(OPEN_TRANSACTIONS)
    while time.monotonic() < deadline:
        # A database that is down just now, by another fault, has no transactions.
        with suppress(DBAPIError), system.sessions() as session:
            if session.scalar(query, {"ports": link.server_sees}):
                return
        time.sleep(0.02)


def link_cut(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.cut()
        time.sleep(fault.seconds)


def link_slowed(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.slow(SLOWED_SECONDS)
        time.sleep(fault.seconds)


def link_frozen(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.freeze()
        time.sleep(fault.seconds)


def link_half_open(system: System, fault: PlannedFault) -> None:
    link = system.links[fault.target]
    with _mended(link):
        link.lose_server_side()
        time.sleep(fault.seconds)


def link_reset(system: System, fault: PlannedFault) -> None:
    """The clients come back at once, and the server takes their old connections for alive."""
    system.links[fault.target].lose_client_side()
    time.sleep(fault.seconds)
    for worker in system.fleet.workers:
        revive(worker)
    if fault.target.endswith("-broker"):
        _await_notice(system.links[fault.target])
