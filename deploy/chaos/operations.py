"""What people do with executions that run: planned from a seed, asked of the API, and what was answered.

Each that is asked says words of its own, by which the timeline shows whether it was done, and how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import Any
from uuid import UUID

import requests

from deploy.chaos.alerts import RACING, PlannedAlert, PlannedFlow
from deploy.chaos.patience import Patience
from deploy.local.client import Client

# Of alerts: those that somebody does something about, beside answering them.
OPERATED = 0.5
MOST_OPERATIONS = 3
# Later nothing is done, so that a run comes to its end.
LATEST_SECONDS = 6.0
# The shortest first: an execution that goes on in another flow has all of that before it.
TAKEN_OVER_BY = 0.5
LONGEST_SNOOZE = 4
# Members of a body that say what an execution is to go on with.
GOES_ON_WITH = ("flow_id", "user_id", "revision")
# Whoever is told that the flow has changed meanwhile looks again.
LOOKS = 3


class Kind(StrEnum):
    """What is done; the words of the API, but that it has one for both ways to reassign."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    UNSNOOZE = "unsnooze"
    ESCALATE = "escalate"
    REASSIGN = "reassign"
    HAND_OVER = "hand over"
    REBASE = "rebase"
    CANCEL = "cancel"


# Of those who snooze: who does not wait for its end.
ANOTHER_MIND = 0.7
# How often each is chosen. Nobody unsnoozes what nobody has snoozed.
OFTEN = {
    Kind.SNOOZE: 3,
    Kind.ESCALATE: 4,
    Kind.REASSIGN: 2,
    Kind.HAND_OVER: 1,
    Kind.REBASE: 4,
    Kind.CANCEL: 1,
}


@dataclass(frozen=True)
class PlannedOperation:
    """After how many seconds it is done; `choice`, from 0 to 1, is which flow, or for how long."""

    kind: Kind
    after: float
    choice: float = 0.0


@dataclass
class Asked:
    """An operation, as its client saw it: what was answered, if it was, and whether that changed anything."""

    execution_id: UUID
    kind: Kind
    words: str
    began_at: datetime
    tries: int = 0
    answered_at: datetime | None = None
    changed: bool = False
    refused: str = ""
    # What it is to go on with, in the words of the timeline.
    wanted: dict[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        if self.refused:
            return f"refused {self.refused[:3]}"
        if self.answered_at is None:
            return "no answer" if self.tries else "nothing to do"
        return "done" if self.changed else "already"


def plan_operations(
    random: Random, flows: Sequence[PlannedFlow], alerts: Sequence[PlannedAlert], share: float = OPERATED
) -> dict[str, tuple[PlannedOperation, ...]]:
    """What is done about which alert, by its key; about this share of them something is."""
    operated = (alert for alert in alerts if random.random() < share)
    return {alert.key: tuple(_operations(random, flows[alert.flow])) for alert in operated}


def _operations(random: Random, flow: PlannedFlow) -> list[PlannedOperation]:
    planned = []
    for kind in random.choices(list(OFTEN), list(OFTEN.values()), k=random.randint(1, MOST_OPERATIONS)):
        one = PlannedOperation(kind, _when(random, flow), random.random())
        planned.append(one)
        if kind is Kind.SNOOZE and random.random() < ANOTHER_MIND:
            later = random.choice((Kind.UNSNOOZE, Kind.ESCALATE))
            planned.append(replace(one, kind=later, after=one.after + random.uniform(0.2, 2)))
    return planned


def _when(random: Random, flow: PlannedFlow) -> float:
    """At any time; or at the very moment at which a step is due."""
    if random.random() < RACING:
        return min(LATEST_SECONDS, max(0.0, random.choice(flow.due_after) + random.uniform(-0.05, 0.1)))
    return random.uniform(0, min(LATEST_SECONDS, flow.due_after[-1] + 1))


@dataclass(frozen=True)
class Operator:
    """Somebody who does such things. `flow_ids` are those that take others' executions over."""

    client: Client
    patience: Patience
    flow_ids: Sequence[str]
    user_id: str

    def ask(self, asked: Asked, choice: float) -> None:
        """Do it, and note what was answered; 409 is an answer: somebody else was first."""
        try:
            answer = self._rebase(asked) if asked.kind is Kind.REBASE else self._do(asked, choice)
        except requests.HTTPError as error:
            asked.refused = f"{error.response.status_code} {error.response.text}"
            return
        if answer is not None:
            asked.answered_at, asked.changed = datetime.now(UTC), bool(answer["changed"])

    def _do(self, asked: Asked, choice: float) -> dict[str, Any] | None:
        match asked.kind:
            case Kind.SNOOZE:
                return self._post(asked, for_seconds=1 + int(choice * LONGEST_SNOOZE))
            case Kind.ESCALATE:
                return self._escalate(asked)
            case Kind.REASSIGN:
                return self._post(asked, flow_id=self.flow_ids[int(choice * len(self.flow_ids))])
            case Kind.HAND_OVER:
                return self._post(asked, "reassign", user_id=self.user_id)
            case _:
                return self._post(asked)

    def _escalate(self, asked: Asked) -> dict[str, Any] | None:
        """The step is looked at once: whoever tries again must not skip the one after it."""
        found = self.patience.persistently(lambda: self.client.execution(str(asked.execution_id)))
        step = None if found is None else found["next_step"]
        return None if step is None else self._post(asked, step=step)

    def _rebase(self, asked: Asked) -> dict[str, Any] | None:
        for look in range(LOOKS):
            told = self.patience.persistently(
                lambda: self.client.operate(str(asked.execution_id), Kind.REBASE)
            )
            if told is None:
                return None
            try:
                return self._post(asked, apply=True, revision=told["to_revision"])
            except requests.HTTPError as error:
                if "newest revision" not in error.response.text or look == LOOKS - 1:
                    raise
        return None

    def _post(self, asked: Asked, operation: str = "", **body: Any) -> dict[str, Any] | None:
        word = "note" if asked.kind is Kind.ACKNOWLEDGE else "reason"

        def post() -> dict[str, Any]:
            asked.tries += 1
            told = {word: asked.words, **body}
            asked.wanted = {name: body[name] for name in GOES_ON_WITH if name in body}
            return self.client.operate(str(asked.execution_id), operation or asked.kind, **told)

        return self.patience.persistently(post)


def shortest_first(flows: Sequence[PlannedFlow]) -> list[int]:
    """Which flows take over, by their place."""
    in_order = sorted(range(len(flows)), key=lambda place: flows[place].due_after[-1])
    return in_order[: max(1, int(TAKEN_OVER_BY * len(flows)))]
