"""A publisher that tells of each wake-up, in the trace of its execution, below what it follows from."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from alertops import tracing
from alertops.errors import BrokerUnavailableError
from alertops.services.dispatch import FIRE_STEP, FIRE_TIMER, SEND_ATTEMPT, Message, Publisher
from alertops.tracing import Told
from alertops.tracing.ids import fire_span, start_span

# Those of an execution. Letters have none.
_TOLD = frozenset({FIRE_STEP, FIRE_TIMER, SEND_ATTEMPT})


def telling(publisher: Publisher) -> Publisher:
    """The publisher itself, where nothing is told."""
    return TellingPublisher(publisher) if tracing.is_on() else publisher


class TellingPublisher:
    """Publishes as the other does."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        began = tracing.clock()
        try:
            confirmed = self._publisher.publish(messages)
        except BrokerUnavailableError as error:
            self._tell(messages, began, [False] * len(messages), type(error).__name__)
            raise
        self._tell(messages, began, confirmed, None)
        return confirmed

    @staticmethod
    def _tell(messages: Sequence[Message], began: int, confirmed: Sequence[bool], failed: str | None) -> None:
        ended = tracing.clock()
        for message, ok in zip(messages, confirmed, strict=True):
            if message.task in _TOLD:
                tracing.tell(_dispatch(message, began, ended, ok, failed))


def _dispatch(message: Message, began: int, ended: int, confirmed: bool, failed: str | None) -> Told:
    execution, number = UUID(str(message.args[0])), int(message.args[1])
    sends = message.task == SEND_ATTEMPT
    return Told(
        "dispatch",
        began,
        ended,
        execution,
        fire_span(execution, number) if sends else start_span(execution),
        kind="producer",
        attributes={
            "alertops.execution": str(execution),
            "alertops.wakes": message.task.removeprefix("alertops."),
            "alertops.timer" if message.task == FIRE_TIMER else "alertops.step": number,
            "alertops.delay_seconds": message.delay_seconds,
            "alertops.confirmed": confirmed,
            "messaging.system": "rabbitmq",
            "messaging.destination.name": message.routing_key,
            **({"alertops.target": message.args[2], "alertops.attempt": message.args[3]} if sends else {}),
        },
        failed=failed or (None if confirmed else "unconfirmed"),
    )
