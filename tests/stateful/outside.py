"""What is outside of the services in these tests: a broker with moods, and who a recipient is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.errors import BrokerUnavailableError
from alertops.services.dispatch import FIRE_QUEUE, SEND_QUEUES, Message
from alertops.services.recipients import resolve_recipient
from alertops.services.resolution import Found, Resolution, Target


class Mood(Enum):
    TAKES = "takes"
    LOSES = "confirms, and loses"
    IS_DOWN = "is down"


@dataclass
class MoodyBroker:
    """Keeps what it took, for a test to deliver."""

    mood: Mood = Mood.TAKES
    messages: list[Message] = field(default_factory=list)

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        if self.mood is Mood.IS_DOWN:
            raise BrokerUnavailableError("connection refused")
        if self.mood is Mood.TAKES:
            self.messages += messages
        return [True] * len(messages)

    def ready(self) -> Mapping[str, int]:
        """How many messages stand in each queue: what it has lost does not."""
        if self.mood is Mood.IS_DOWN:
            raise BrokerUnavailableError("connection refused")
        return {
            FIRE_QUEUE: 0,
            f"{SEND_QUEUES}email": 0,
            **Counter(message.routing_key for message in self.messages),
        }


def targets_of(recipient: Mapping[str, Any]) -> int:
    """How many targets the recipients in these tests have."""
    return int(recipient.get("targets", recipient["type"] == "email"))


def resolve(session: Session, team_id: UUID, recipient: Mapping[str, Any], **about: Any) -> Resolution:
    """Of several, the rows need not be in the database; of others they are."""
    if recipient["type"] != "several":
        return resolve_recipient(session, team_id, recipient, **about)
    addresses = (f"{number}@example.com" for number in range(recipient["targets"]))
    return Resolution(tuple(Found("/recipient", Target("email", address)) for address in addresses))
