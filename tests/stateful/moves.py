"""What two workers and a person can do with an execution: how it is done, and what the oracle says of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import Certainty, ChannelError, Notification
from alertops.config import Timing
from alertops.errors import ConflictError
from alertops.escalation.events import Acknowledge, Resolve
from alertops.escalation.states import AttemptStatus
from alertops.faults import Point
from alertops.services.dispatch import FIRE_STEP, Dispatcher, Message
from alertops.services.fire_step import fire_step
from alertops.services.keys import AttemptKey, StepKey
from alertops.services.operate import By, operate
from alertops.services.send_attempt import send_attempt
from tests.integration.world import ScriptedChannel
from tests.stateful.oracle import REFUSED, Fate, Oracle
from tests.stateful.outside import targets_of
from tests.stateful.strands import Strand

WORKERS = ("A", "B")
PERSON = "person"

# Of a step, or of an attempt: without the execution, as there is only one.
Key = tuple[int, ...]


@dataclass(frozen=True)
class Move:
    """`begin` starts it, up to one of the stops; `predict` says where it then is, or what it answered."""

    who: str
    what: str
    begin: Callable[[Collection[Point]], None]
    predict: Callable[[Oracle], Any]


class Cast:
    """The workers, each with a provider of its own, and the person, around one execution."""

    def __init__(self, sessions: sessionmaker[Session], dispatcher: Dispatcher, actor_id: UUID) -> None:
        self.strands = {name: Strand(sessions) for name in (*WORKERS, PERSON)}
        self._channels = {name: ScriptedChannel() for name in WORKERS}
        self._dispatcher, self._actor_id = dispatcher, actor_id
        self.execution_id: UUID | None = None

    @property
    def accepted(self) -> list[Notification]:
        """Every message about this execution that a provider has taken."""
        return [
            notification
            for channel in self._channels.values()
            for notification in channel.accepted
            if notification.execution_id == str(self.execution_id)
        ]

    def busy(self, names: Collection[str] = (*WORKERS, PERSON)) -> list[str]:
        """Who of them stands somewhere in the middle."""
        return [name for name in names if self.strands[name].busy]

    def idle(self, names: Collection[str] = (*WORKERS, PERSON)) -> list[str]:
        return [name for name in names if not self.strands[name].busy]

    def woken(self, who: str, key: Key, fate: Fate) -> Move:
        """A wake-up for this row arrives at the worker."""
        if len(key) == 1:
            return self._fires(who, *key)
        step, target, attempt = key
        attempt_key = AttemptKey(self._id, step, target, attempt)

        def send(session: Session) -> Any:
            channels = {"email": self._channels[who]}
            return send_attempt(session, self._dispatcher, channels, Timing(), attempt_key)

        def begin(stops: Collection[Point]) -> None:
            self._prepare(who, fate)
            self.strands[who].go(send, stops)

        return Move(
            who, f"sends {key}, {fate}", begin, lambda oracle: oracle.send(who, (step, target, attempt), fate)
        )

    def woken_by(self, message: Message, who: str, fate: Fate) -> Move:
        key = key_of(message)
        assert (len(key) == 1) is (message.task == FIRE_STEP)
        return self.woken(who, key, fate)

    def _fires(self, who: str, step: int) -> Move:
        def fire(session: Session) -> Any:
            return fire_step(session, self._dispatcher, StepKey(self._id, step))

        return Move(
            who,
            f"fires {step}",
            lambda stops: self.strands[who].go(fire, stops),
            lambda oracle: oracle.fire(step, targets_of(oracle.engine.node_of(step).recipient)),
        )

    def goes_on(self, who: str, fate: Fate) -> Move:
        """A worker that stands in the middle of a send takes its next step."""

        def begin(stops: Collection[Point]) -> None:
            self._prepare(who, fate)
            self.strands[who].go_on(stops)

        return Move(who, f"goes on, {fate}", begin, lambda oracle: oracle.go_on(who, fate))

    def answers(self, event: Acknowledge | Resolve) -> Move:
        def give(session: Session) -> Any:
            try:
                answered = operate(session, self._dispatcher, self._id, event, By(self._actor_id))
            except ConflictError:
                return REFUSED
            return answered.changed, [(AttemptKey.of(a)[1:], a.claim_number) for a in answered.in_flight]

        return Move(
            PERSON,
            str(event),
            lambda stops: self.strands[PERSON].go(give, stops),
            lambda oracle: oracle.answer(event),
        )

    def _prepare(self, who: str, fate: Fate) -> None:
        status, permanent = fate.outcome
        unknown = Certainty.UNKNOWN if status is AttemptStatus.UNKNOWN else Certainty.NOT_SENT

        def fail(_: Notification) -> None:
            raise ChannelError(fate.name, permanent, unknown)

        def fine(_: Notification) -> None:
            pass

        channel = self._channels[who]
        channel.on_open = fail if fate.at_opening else fine
        channel.on_transmit = fine if fate is Fate.ACCEPTED else fail

    @property
    def _id(self) -> UUID:
        assert self.execution_id is not None
        return self.execution_id


def key_of(message: Message) -> Key:
    return tuple(int(part) for part in message.args[1:])
