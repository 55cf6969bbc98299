"""People who change flows while their executions run, two of them at the same flows.

Each reads a flow, changes something, and says which version the change is for. What a change was answered
with is remembered: no two may have made the same version, and none that was answered may be missing.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Flow
from deploy.local.client import Client

EDITORS = 2
# From change to change of one editor, so that most executions meet one.
PAUSE_SECONDS = 1.0
DELAYS = range(7)

Change = Callable[[Random, Client, dict[str, Any], str], str]


@dataclass(frozen=True)
class Edit:
    """A change that was answered with 2xx, and the version that it made."""

    flow_id: str
    version: int


class Editors:
    """They work from `start` to `finish`, on these flows; `edits` are those that came through."""

    def __init__(self, base_url: str, token: str, flow_ids: Sequence[str], seed: int) -> None:
        self.edits: list[Edit] = []
        self.outcomes: Counter[str] = Counter()
        self._flow_ids = flow_ids
        self._stopping = threading.Event()
        randoms = [Random(seed + number) for number in range(EDITORS)]  # noqa: S311  repeatable
        self._threads = [
            threading.Thread(target=self._work, args=(Client(base_url, token), random), daemon=True)
            for random in randoms
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let them end what they are at."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _work(self, client: Client, random: Random) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            try:
                self._edit(client, random)
            except requests.HTTPError as error:
                self.outcomes[f"answered {error.response.status_code}"] += 1
            except (requests.RequestException, ValueError):
                self.outcomes["no answer"] += 1

    def _edit(self, client: Client, random: Random) -> None:
        # Both take the same flow within the same second, so that they meet.
        flow_id = self._flow_ids[int(time.time()) % len(self._flow_ids)]
        flow, etag = client.flow(flow_id)
        made = random.choice(CHANGES)(random, client, flow, etag)
        self.edits.append(Edit(flow_id, int(made.strip('"'))))
        self.outcomes["made"] += 1


def check_edits(session: Session, edits: Sequence[Edit]) -> Iterator[str]:
    """What is wrong with the edits that were answered, in sentences."""
    versions = Counter((edit.flow_id, edit.version) for edit in edits)
    for (flow_id, version), count in versions.items():
        if count > 1:
            yield f"edits: {count} edits of flow {flow_id} were told that they made version {version}"
    newest = {
        str(row.id): row.revision_number for row in session.execute(select(Flow.id, Flow.revision_number))
    }
    session.rollback()
    for flow_id, version in versions:
        if newest[str(UUID(flow_id))] < version:
            yield f"edits: version {version} of flow {flow_id} was answered, and is not there"


def _reorder(random: Random, client: Client, flow: dict[str, Any], etag: str) -> str:
    ids = [node["id"] for node in flow["nodes"]]
    # A change that changes nothing makes no version.
    first, second = random.sample(range(len(ids)), 2)
    ids[first], ids[second] = ids[second], ids[first]
    return client.reorder(flow["id"], ids, etag)


def _change_delay(random: Random, client: Client, flow: dict[str, Any], etag: str) -> str:
    node = random.choice(flow["nodes"])
    delay = random.choice([delay for delay in DELAYS if delay != node["delay_seconds"]])
    return client.change_node(flow["id"], node["id"], {"delay_seconds": delay}, etag)


def _swap_recipients(random: Random, client: Client, flow: dict[str, Any], etag: str) -> str:
    node, other = random.sample(flow["nodes"], 2)
    change = {
        "recipient": other["recipient"],
        "name": f"{node['name'].partition(' ')[0]} {random.randrange(10**6)}",
    }
    return client.change_node(flow["id"], node["id"], change, etag)


CHANGES: Sequence[Change] = (_reorder, _change_delay, _swap_recipients)
