"""People who change flows while their executions run, all of them at the same flows.

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

FEWEST_NODES, MOST_NODES = 2, 5

Change = Callable[[dict[str, Any], str], str]


@dataclass(frozen=True)
class Pace:
    """How many they are, how long each pauses between two changes, and which delays they choose from.

    With the usual pace most executions meet a change.
    """

    editors: int = 2
    pause_seconds: float = 1.0
    delays: Sequence[int] = range(7)


@dataclass(frozen=True)
class Edit:
    """A change that was answered with 2xx, and the version that it made."""

    flow_id: str
    version: int
    what: str


@dataclass(frozen=True)
class Editor:
    """One of them. Each way to change a flow returns the ETag of the version that it made."""

    client: Client
    random: Random
    delays: Sequence[int]

    def edit(self, flow_id: str) -> Edit:
        """Change something, for the version that is there now."""
        flow, etag = self.client.flow(flow_id)
        change = self.random.choice(self._ways(len(flow["nodes"])))
        made = change(flow, etag)
        return Edit(flow_id, int(made.strip('"')), change.__name__)

    def _ways(self, nodes: int) -> list[Change]:
        ways: list[Change] = [self.reorder, self.change_delay, self.swap_recipients]
        if nodes < MOST_NODES:
            ways.append(self.add)
        if nodes > FEWEST_NODES:
            ways.append(self.remove)
        return ways

    def reorder(self, flow: dict[str, Any], etag: str) -> str:
        ids = [node["id"] for node in flow["nodes"]]
        # A change that changes nothing makes no version.
        first, second = self.random.sample(range(len(ids)), 2)
        ids[first], ids[second] = ids[second], ids[first]
        return self.client.reorder(flow["id"], ids, etag)

    def change_delay(self, flow: dict[str, Any], etag: str) -> str:
        node = self.random.choice(flow["nodes"])
        delay = self.random.choice([delay for delay in self.delays if delay != node["delay_seconds"]])
        return self.client.change_node(flow["id"], node["id"], {"delay_seconds": delay}, etag)

    def swap_recipients(self, flow: dict[str, Any], etag: str) -> str:
        node, other = self.random.sample(flow["nodes"], 2)
        change = {"recipient": other["recipient"], "name": self._renamed(node)}
        return self.client.change_node(flow["id"], node["id"], change, etag)

    def add(self, flow: dict[str, Any], etag: str) -> str:
        """One more like one that is there, anywhere."""
        like = self.random.choice(flow["nodes"])
        node = {**like, "name": self._renamed(like), "position": self.random.randint(0, len(flow["nodes"]))}
        del node["id"]
        return self.client.add_node(flow["id"], node, etag)

    def remove(self, flow: dict[str, Any], etag: str) -> str:
        return self.client.remove_node(flow["id"], self.random.choice(flow["nodes"])["id"], etag)

    def _renamed(self, node: dict[str, Any]) -> str:
        return f"{node['name'].partition(' ')[0]} {self.random.randrange(10**6)}"


USUAL = Pace()


class Editors:
    """They work from `start` to `finish`, on these flows; `edits` are those that came through."""

    def __init__(
        self, base_url: str, token: str, flow_ids: Sequence[str], seed: int, pace: Pace = USUAL
    ) -> None:
        self.edits: list[Edit] = []
        self.outcomes: Counter[str] = Counter()
        self._flow_ids = flow_ids
        self._pause_seconds = pace.pause_seconds
        self._stopping = threading.Event()
        randoms = [Random(seed + number) for number in range(pace.editors)]  # noqa: S311  repeatable
        editors = [Editor(Client(base_url, token), random, pace.delays) for random in randoms]
        self._threads = [
            threading.Thread(target=self._work, args=(editor,), daemon=True) for editor in editors
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let them end what they are at."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _work(self, editor: Editor) -> None:
        while not self._stopping.wait(self._pause_seconds):
            # All take the same flow within the same second, so that they meet.
            flow_id = self._flow_ids[int(time.time()) % len(self._flow_ids)]
            try:
                self.edits.append(editor.edit(flow_id))
                self.outcomes["made"] += 1
            except requests.HTTPError as error:
                self.outcomes[f"answered {error.response.status_code}"] += 1
            except (requests.RequestException, ValueError):
                self.outcomes["no answer"] += 1


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
