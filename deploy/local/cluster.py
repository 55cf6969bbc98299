"""Three private RabbitMQ nodes as one cluster, on one machine: what a broker is that may lose a node.

Each node is a `RabbitMQ` of its own: it has data, ports and a log, is killed and started alone. They share
what a cluster must share: the cookie by which they let each other in, the account of the clients, and
Erlang's port mapper, which belongs to the cluster, so that a node that is killed does not take it along.
"""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import binaries, ports, processes
from deploy.local.account import our_own
from deploy.local.errors import LocalStackError
from deploy.local.identity import Identity
from deploy.local.progress import Report, silent
from deploy.local.rabbitmq import RabbitMQ

SIZE = 3
# What waits goes from queue to queue, and each confirms it. A queue whose next one has lost its leader asks
# again after this time, and passes nothing on meanwhile. By default that is three minutes, also when the node
# has long been back: docs/scaling.md.
ASKED_AGAIN_MS = 3000


class Node(RabbitMQ):
    """One node of a cluster. What is done to users and vhosts on one of them is done to all."""

    port_names = ("amqp", "distribution")

    def __init__(self, root: Path, shared: Identity, report: Report = silent) -> None:
        super().__init__(root, report)
        self._shared = shared
        if self.identity is None:
            Identity(str(self.root), str(self.home), shared.password, {}).write(self._file)

    def join(self, first: "Node") -> None:
        """Give up what it has, and become a part of the other's cluster."""
        for words in (("stop_app",), ("reset",), ("join_cluster", first.node), ("start_app",)):
            self._ctl(*words)

    def _prepare(self) -> None:
        super()._prepare()
        self._write(".erlang.cookie", self._shared.password)
        said = f"[{{rabbit, [{{dead_letter_worker_publisher_confirm_timeout, {ASKED_AGAIN_MS}}}]}}].\n"
        self._write("advanced.config", said)

    def _configuration(self) -> str:
        # The side of a split that has no majority stops, and whoever was connected to it goes to the other.
        return super()._configuration() + "cluster_partition_handling = pause_minority\n"

    @property
    def _epmd_port(self) -> int:
        return self._shared.ports["epmd"]

    def _launch(self) -> None:
        self._launch_server()


class Cluster:
    """The nodes; up inside. Their data is deleted when it is over."""

    def __init__(self, root: Path, report: Report = silent) -> None:
        self._root = root.resolve()
        self._home = self._root / "epmd"
        self._home.mkdir(parents=True)
        # The password is the cookie, too.
        shared = Identity(str(self._root), str(self._home), secrets.token_urlsafe(24), {})
        self._shared = shared.with_free_ports(("epmd",))
        self.nodes = [Node(self._root / f"node-{number}", self._shared, report) for number in range(SIZE)]

    @property
    def first(self) -> Node:
        return self.nodes[0]

    def create_vhost(self, name: str) -> str:
        """Make a vhost, empty and ours; returns its addresses at all nodes, as a broker URL."""
        self.first.create_vhost(name)
        return ";".join(node.url + name for node in self.nodes)

    def by_name(self, erlang_name: str) -> Node:
        return next(node for node in self.nodes if node.node == erlang_name)

    def members(self, vhost: str) -> dict[str, tuple[str, set[str]]]:
        """Of each quorum queue: the node that leads it, and those that are up and have it."""
        told = self._living().ctl(
            *("list_queues", "--vhost", vhost, "--no-table-headers", "name", "type", "leader", "online")
        )
        rows = (line.split("\t") for line in told.splitlines())
        return {
            name: (leader, set(online.strip("[]").split(", ")))
            for name, kind, leader, online in rows
            if kind == "quorum"
        }

    def _living(self) -> Node:
        for node in self.nodes:
            if node.is_running():
                return node
        raise LocalStackError("No node of the cluster is running.")

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """End everything and forget it."""
        self._with_each(lambda node: node.remove())
        while living := processes.living(self._home, {"epmd"}):
            for process in living:
                process.kill()

    def _start(self) -> None:
        self._start_epmd()
        # One after the other: each takes a second of a processor, and the second one joins the first.
        for node in self.nodes:
            node.start()
            if node is not self.first:
                node.join(self.first)

    def _start_epmd(self) -> None:
        port = self._shared.ports["epmd"]
        environment = {"ERL_EPMD_ADDRESS": ports.ADDRESS, "PATH": "/usr/bin:/bin"}
        processes.launch(
            [binaries.epmd(), "-port", str(port)],
            folder=self._home,
            log=self._home / "epmd.log",
            account=our_own(),
            environment=environment,
        )
        deadline = time.monotonic() + RabbitMQ.vanish_seconds
        while not ports.is_accepting(port):
            if time.monotonic() > deadline:
                raise LocalStackError("The cluster's epmd does not answer.")
            time.sleep(processes.POLL_SECONDS)

    def _with_each(self, act: Callable[[Node], None]) -> None:
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(act, node) for node in self.nodes]:
                done.result()
