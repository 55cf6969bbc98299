"""An event is delivered: read, a place with the host, claimed, posted, recorded; then the next of its line.

::

    wake-up ─▶ read ─▶ a place? ─▶ claim (not flushed) ─▶ post ─▶ record (flushed) ─▶ wake the next
               │       │ no: put off, woken later          └─ failed: tried again later, or given up
               └─ behind, over, early, unwanted: nothing is sent

A sender that dies is followed by another when its lease is over, whatever it had done: the receiver gets the
same `webhook-id` again, with the same body. So there is no mark before the point of no return, as there is
for an alert, which wakes people. No lock is held while the network is being talked to.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.orm import Session

from alertops.channels.base import ChannelError, Delivery
from alertops.channels.event_body import Event
from alertops.config import Timing
from alertops.faults import Point, reach
from alertops.services.deliveries import delivery_transitions as transitions
from alertops.services.deliveries.delivery_transitions import Claimed
from alertops.services.deliveries.host_places import HostPlaces, Place
from alertops.services.deliveries.record_delivery import Went, record_delivery
from alertops.services.deliveries.standing import Seen, Told, read_delivery
from alertops.services.dispatch import DeliveryWakeUp, Dispatcher
from alertops.services.persistence import persistently
from alertops.services.signing_secrets import signing_secrets

# A wake-up that was meant for this time is early by what clocks differ: the broker waits whole seconds, and
# rounds them up. One that comes much earlier was for another time, and is not the only one: whoever set this
# time has dispatched it.
_EARLY_BY = timedelta(seconds=2)


class EventChannel(Protocol):
    """What delivers: see `alertops.channels.base.Channel.open`."""

    def open_event(self, event: Event, *, within_seconds: float) -> AbstractContextManager[Delivery]: ...


@dataclass(frozen=True)
class Outlet:
    """By what events are delivered: the channel, and the places that its hosts have here."""

    channel: EventChannel
    places: HostPlaces


def send_delivery(
    session: Session, dispatcher: Dispatcher, outlet: Outlet, timing: Timing, delivery_id: UUID
) -> Told:
    """Deliver it if it is due, free, and the first of its line; any number of wake-ups do so once."""
    seen = persistently(session, timing.lease, lambda: read_delivery(session, delivery_id))
    if seen is None or seen.unmet is not None:
        return _leave(session, dispatcher, seen)
    with outlet.places.place(urlsplit(seen.event.url).hostname or "") as place:
        if place.away_seconds is not None:
            return _put_off(session, dispatcher, seen, place.away_seconds)
        claim = persistently(session, timing.lease, lambda: _claim(session, seen, timing.lease))
        if claim is None:
            return Told.LOST
        claimed, event = claim
        went = _converse(outlet.channel, event, timing.send_deadline, place)
    reach(Point.AFTER_TELL, session)
    # What is known now would be sent again: keep at it for as long as the lease is ours.
    told = persistently(session, timing.lease, lambda: record_delivery(session, seen, claimed, went))
    reach(Point.AFTER_TOLD, session)
    if told is not Told.LOST:
        _wake_first(session, dispatcher, seen)
    return told


def _leave(session: Session, dispatcher: Dispatcher, seen: Seen | None) -> Told:
    if seen is None or seen.unmet is None:
        session.rollback()
        return Told.NOTHING
    if seen.unmet is Told.UNWANTED:
        transitions.cancel_line(session, seen.line)
        session.commit()
        return seen.unmet
    session.rollback()
    if seen.unmet is Told.EARLY and seen.due_at - seen.now < _EARLY_BY:
        dispatcher.dispatch(session, [DeliveryWakeUp(seen.id, seen.due_at)])
    return seen.unmet


def _put_off(session: Session, dispatcher: Dispatcher, seen: Seen, seconds: float) -> Told:
    pause = timedelta(seconds=seconds)
    held = transitions.put_off(session, seen, pause)
    session.commit()
    if held:
        dispatcher.dispatch(session, [DeliveryWakeUp(seen.id, seen.now + pause)])
    return Told.AWAY


def _claim(session: Session, seen: Seen, lease_seconds: float) -> tuple[Claimed, Event] | None:
    claimed = transitions.claim_delivery(session, seen, lease_seconds)
    if claimed is None:
        session.rollback()
        return None
    event = replace(seen.event, sealed_secrets=signing_secrets(session, seen.event.team_id))
    session.commit()
    return claimed, event


def _converse(channel: EventChannel, event: Event, deadline: float, place: Place) -> Went:
    """Talk to the receiver; one that takes its time and fails has fewer places from then on."""
    half, began = deadline / 2, time.monotonic()
    try:
        with channel.open_event(event, within_seconds=half) as delivery:
            return Went(delivery.transmit(within_seconds=half).detail)
    except ChannelError as error:
        if time.monotonic() - began > half / 2:
            place.unanswered()
        return Went(error.detail, error)


def _wake_first(session: Session, dispatcher: Dispatcher, seen: Seen) -> None:
    """Whichever is first in the line now: this one, to be tried again, or the one after it."""
    first = transitions.first_of_line(session, seen.line)
    session.rollback()
    if first is not None:
        dispatcher.dispatch(session, [DeliveryWakeUp(first.id, first.due_at)])
