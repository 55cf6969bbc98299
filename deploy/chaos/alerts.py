"""Which flows there are, which alerts come when, and who answers them: all from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from deploy.chaos.mailboxes import ADDRESSES

# Of alerts: those that nobody answers, so that the flow goes to its end.
UNANSWERED = 0.5
# Of answers: those that come at the very moment at which a step is due.
RACING = 0.4
# Of nodes: those that tell a machine alone, and those that tell one together with a mailbox.
ALONE, TOGETHER = 0.1, 0.35
# Of so many alerts, one is raised by two users in the same moment.
TWICE_EVERY = 10


@dataclass(frozen=True)
class PlannedFlow:
    """A flow, as it is given to the API."""

    name: str
    nodes: list[dict[str, Any]]

    def stretched(self, times: int) -> PlannedFlow:
        """The same with delays that are so many times as long."""
        longer = [{**node, "delay_seconds": node["delay_seconds"] * times} for node in self.nodes]
        return PlannedFlow(self.name, longer)

    @property
    def due_after(self) -> list[float]:
        """When each step is due, in seconds after the alert."""
        delays = [int(node["delay_seconds"]) for node in self.nodes]
        return [float(sum(delays[: i + 1])) for i in range(len(delays))]


@dataclass(frozen=True)
class PlannedAlert:
    """An alert, and after how many seconds somebody acknowledges it, or None.

    `share` is when within its phase it is raised: 0 at the beginning, 1 at the end. With `twice`, two users
    raise it in the same moment, as a pair of monitoring servers does.
    """

    key: str
    flow: int
    share: float
    acknowledged_after: float | None
    twice: bool = False


def plan_flows(random: Random, count: int, fewest_nodes: int, most_nodes: int) -> list[PlannedFlow]:
    """Flows of so many nodes, to mailboxes of all characters."""
    return [
        PlannedFlow(f"Flow {i}", [_node(random, n) for n in range(random.randint(fewest_nodes, most_nodes))])
        for i in range(count)
    ]


def with_machines(random: Random, flows: list[PlannedFlow], urls: Sequence[str]) -> list[PlannedFlow]:
    """The same flows, of which some nodes tell a machine as well, and a few a machine alone."""
    return [
        PlannedFlow(flow.name, [_with_machine(random, node, random.choice(urls)) for node in flow.nodes])
        for flow in flows
    ]


def plan_alerts(random: Random, flows: list[PlannedFlow], count: int, prefix: str) -> list[PlannedAlert]:
    """Alerts spread over a phase, in the order in which they are raised."""
    shares = sorted(random.random() for _ in range(count))
    alerts = (_alert(random, flows, f"{prefix}-{i}", share) for i, share in enumerate(shares))
    return [replace(alert, twice=i % TWICE_EVERY == 0) for i, alert in enumerate(alerts)]


def _node(random: Random, position: int) -> dict[str, Any]:
    address = random.choice(ADDRESSES)
    return {
        "name": f"{position + 1}: {address.partition('@')[0]}",
        "recipient": {"type": "email", "email": address},
        "delay_seconds": random.randint(0, 6),
        "retry": {"max_attempts": random.randint(1, 4), "backoff_seconds": 1, "max_backoff_seconds": 4},
        "on_failure": random.choice(["escalate", "escalate", "wait"]),
        "on_unknown": random.choice(["resend", "resend", "resend", "hold"]),
    }


def _with_machine(random: Random, node: dict[str, Any], url: str) -> dict[str, Any]:
    machine = {"type": "webhook", "url": url}
    chance = random.random()
    if chance < ALONE:
        return {**node, "recipient": machine}
    if chance < ALONE + TOGETHER:
        return {**node, "recipient": {"type": "group", "recipients": [node["recipient"], machine]}}
    return node


def _alert(random: Random, flows: list[PlannedFlow], key: str, share: float) -> PlannedAlert:
    index = random.randrange(len(flows))
    due_after = flows[index].due_after
    acknowledged_after: float | None = None
    if random.random() >= UNANSWERED:
        if random.random() < RACING:
            acknowledged_after = max(0.0, random.choice(due_after) + random.uniform(-0.05, 0.1))
        else:
            acknowledged_after = random.uniform(0, due_after[-1] + 2)
    return PlannedAlert(key, index, share, acknowledged_after)
