"""Letters arrive: once where that can be known, whatever dies on the way; and no token lies about."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from alertops.channels.base import Certainty, ChannelError
from alertops.config import Timing
from alertops.db import Base
from alertops.escalation.states import AttemptStatus
from alertops.models import Letter, MailToken
from alertops.models.letter import LetterKind
from alertops.services.dispatch import LETTER_QUEUE, SEND_LETTER, Dispatcher
from alertops.services.letters.mail_token import find_letter, use_letter
from alertops.services.letters.send_letter import POLICY
from alertops.services.recover import recover
from tests.integration.api_client import Person, person
from tests.integration.inviting import invited
from tests.integration.posting import PostOffice, token_in
from tests.integration.recovering import Markers, Queues
from tests.integration.world import Broker, Queue


class Died(BaseException):
    """The worker's process is gone at this place."""


@pytest.fixture
def office(session: Session) -> PostOffice:
    return PostOffice(session)


@pytest.fixture
def ann(app: Flask) -> Person:
    return person(app, "ann")


@pytest.fixture
def letter_id(ann: Person, session: Session) -> UUID:
    """A letter to Ben, who is invited."""
    team = ann.make("/teams", {"name": "Operations"})["id"]
    invited(ann, team, "ben@example.org")
    return session.scalars(select(Letter.id)).one()


def the_letter(session: Session) -> Letter:
    session.rollback()
    return session.scalars(select(Letter).execution_options(populate_existing=True)).one()


def failing(certainty: Certainty = Certainty.NOT_SENT, *, permanent: bool = False) -> ChannelError:
    return ChannelError("451 not now", permanent=permanent, certainty=certainty)


def raising(error: BaseException) -> object:
    def behave(_: EmailMessage) -> None:
        raise error

    return behave


def test_a_letter_is_dispatched_to_its_own_queue(letter_id: UUID, publisher: object) -> None:
    messages = [m for m in publisher.messages if m.task == SEND_LETTER]  # type: ignore[attr-defined]
    assert [(m.args, m.routing_key) for m in messages] == [((str(letter_id),), LETTER_QUEUE)]


def test_any_number_of_wake_ups_send_it_once(
    office: PostOffice, letter_id: UUID, session: Session, sessions: sessionmaker[Session]
) -> None:
    def wake(_: int) -> AttemptStatus | None:
        with sessions() as own:
            return office.send(letter_id, own)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(wake, range(16)))
    assert outcomes.count(AttemptStatus.DELIVERED) == 1
    assert outcomes.count(None) == 15
    assert len(office.taken) == 1
    assert the_letter(session).status == "delivered"


def test_the_token_works_and_is_nowhere_but_in_the_mail(
    office: PostOffice, letter_id: UUID, session: Session
) -> None:
    (mail,) = office.deliver()
    token = token_in(mail)
    found = find_letter(session, token, LetterKind.INVITATION)
    assert found is not None
    assert found.id == letter_id
    assert find_letter(session, token, LetterKind.RESET_PASSWORD) is None
    dumped = "".join(
        str(session.execute(text(f"SELECT string_agg(t::text, '') FROM {table.name} t")).scalar())
        for table in Base.metadata.sorted_tables
    )
    assert token not in dumped
    assert token.removeprefix("mlt_") not in dumped
    assert token.encode().hex() not in dumped


def test_it_is_not_sent_before_it_is_due(office: PostOffice, letter_id: UUID, session: Session) -> None:
    session.execute(update(Letter).values(due_at=func.clock_timestamp() + text("interval '1 hour'")))
    session.commit()
    assert office.send(letter_id) is None
    assert office.taken == []
    (again,) = office.broker.taken
    assert 3590 < again.delay_seconds <= 3600


def test_who_dies_before_it_was_sent_leaves_it_to_the_next(
    office: PostOffice, letter_id: UUID, session: Session
) -> None:
    office.on_open = raising(Died())  # type: ignore[assignment]
    with pytest.raises(Died):
        office.send(letter_id)
    session.rollback()
    assert the_letter(session).status == "sending"
    office.on_open = lambda _: None
    assert office.send(letter_id) is None  # the lease is not over
    office.pass_time(Timing().lease + 1)
    (mail,) = office.deliver()
    assert "may be a repeat" not in mail.get_content()
    assert the_letter(session).status == "delivered"


def test_who_dies_when_it_may_have_been_sent_makes_the_next_one_say_so(
    office: PostOffice, letter_id: UUID, session: Session
) -> None:
    sent: list[EmailMessage] = []

    def take_it_and_die(mail: EmailMessage) -> None:
        sent.append(mail)
        raise Died

    office.on_transmit = take_it_and_die
    with pytest.raises(Died):
        office.send(letter_id)
    session.rollback()
    office.on_transmit = lambda _: None
    office.pass_time(Timing().lease + 1)
    (again,) = office.deliver()
    assert "may be a repeat" in again.get_content()
    assert again["Message-ID"] == sent[0]["Message-ID"]
    # Each has a token of its own, and both are good, until one of them is used.
    first, second = (token_in(mail) for mail in (sent[0], again))
    assert first != second
    found = find_letter(session, first, LetterKind.INVITATION)
    assert found is not None
    assert use_letter(session, found)
    session.commit()
    assert find_letter(session, second, LetterKind.INVITATION) is None


def test_who_lost_the_lease_records_nothing(
    office: PostOffice, letter_id: UUID, session: Session, sessions: sessionmaker[Session]
) -> None:
    def somebody_else_is_faster(_: EmailMessage) -> None:
        office.on_transmit = lambda _: None
        office.pass_time(Timing().lease + 1)
        with sessions() as other:
            assert office.send(letter_id, other) is AttemptStatus.DELIVERED
        raise failing(permanent=True)

    office.on_transmit = somebody_else_is_faster
    assert office.send(letter_id) is None
    assert the_letter(session).status == "delivered"


def test_what_fails_for_a_while_is_tried_again_and_then_given_up(
    office: PostOffice, letter_id: UUID, session: Session
) -> None:
    office.on_open = raising(failing())  # type: ignore[assignment]
    for tries in range(1, POLICY.max_attempts + 1):
        assert office.send(letter_id) is AttemptStatus.FAILED
        assert the_letter(session).tries == tries
        office.pass_time(POLICY.max_backoff_seconds)
    letter = the_letter(session)
    assert (letter.status, letter.detail) == ("failed", "451 not now")
    assert len(office.broker.taken) == POLICY.max_attempts - 1
    assert office.send(letter_id) is None


def test_a_permanent_refusal_is_the_end(office: PostOffice, letter_id: UUID, session: Session) -> None:
    office.on_open = raising(failing(permanent=True))  # type: ignore[assignment]
    assert office.send(letter_id) is AttemptStatus.FAILED
    assert (the_letter(session).status, the_letter(session).tries) == ("failed", 1)
    assert office.broker.taken == []


def test_what_may_have_been_taken_is_sent_again_as_a_repeat(
    office: PostOffice, letter_id: UUID, session: Session
) -> None:
    office.on_transmit = raising(failing(Certainty.UNKNOWN))  # type: ignore[assignment]
    assert office.send(letter_id) is AttemptStatus.UNKNOWN
    office.on_transmit = lambda _: None
    office.pass_time(POLICY.max_backoff_seconds)
    (mail,) = office.deliver()
    assert "may be a repeat" in mail.get_content()


def test_what_was_certainly_refused_after_the_mark_is_no_repeat_when_it_is_sent_again(
    office: PostOffice, letter_id: UUID, session: Session
) -> None:
    office.on_transmit = raising(failing())  # type: ignore[assignment]
    assert office.send(letter_id) is AttemptStatus.FAILED
    office.on_transmit = lambda _: None
    office.pass_time(POLICY.max_backoff_seconds)
    (mail,) = office.deliver()
    assert "may be a repeat" not in mail.get_content()


def test_a_letter_whose_senders_are_lost_again_and_again_fails(
    office: PostOffice, letter_id: UUID, session: Session
) -> None:
    office.on_open = raising(Died())  # type: ignore[assignment]
    for _ in range(POLICY.max_attempts):
        with pytest.raises(Died):
            office.send(letter_id)
        session.rollback()
        office.pass_time(Timing().lease + 1)
    assert office.send(letter_id) is None
    letter = the_letter(session)
    assert (letter.status, letter.tries) == ("failed", POLICY.max_attempts)


def test_a_letter_about_what_is_over_is_not_sent(
    office: PostOffice, ann: Person, letter_id: UUID, session: Session
) -> None:
    (team,) = (ann.get("/teams").json or {})["items"]
    (invitation,) = (ann.get(f"/teams/{team['id']}/invitations").json or {})["items"]
    ann.call("DELETE", f"/teams/{team['id']}/invitations/{invitation['id']}")
    assert office.deliver() == []
    assert the_letter(session).status == "cancelled"
    assert session.scalar(select(func.count()).select_from(MailToken)) == 0


def test_an_expired_letter_is_not_sent(office: PostOffice, letter_id: UUID, session: Session) -> None:
    office.pass_time(15 * 24 * 3600)
    assert office.deliver() == []
    assert the_letter(session).status == "cancelled"


def test_of_two_uses_at_once_one_counts(
    office: PostOffice, letter_id: UUID, session: Session, sessions: sessionmaker[Session]
) -> None:
    office.deliver()

    def use(own: Session) -> bool:
        used = use_letter(own, own.get_one(Letter, letter_id))
        own.commit()
        return used

    def lock(own: Session) -> None:
        own.execute(select(Letter).where(Letter.id == letter_id).with_for_update())

    with Queue(sessions, lock) as queue:
        uses = [queue.submit(use) for _ in range(3)]
    assert sorted(one.result() for one in uses) == [False, False, True]


@pytest.mark.parametrize("loss", ["never dispatched", "overdue", "lease expired", "broker emptied"])
def test_recovery_wakes_a_letter_that_was_lost(
    office: PostOffice,
    letter_id: UUID,
    session: Session,
    sessions: sessionmaker[Session],
    loss: str,
) -> None:
    broker, markers = Broker(), Markers()
    if loss != "broker emptied":
        # The epoch is not new: nothing else than this loss is found.
        recover(sessions, Dispatcher(broker), markers, Queues(), Timing())
        broker.taken.clear()
    if loss == "never dispatched":
        session.execute(update(Letter).values(dispatched_at=None))
        session.commit()
    if loss == "lease expired":
        office.on_open = raising(Died())  # type: ignore[assignment]
        with pytest.raises(Died):
            office.send(letter_id)
        session.rollback()
    if loss != "broker emptied":
        office.pass_time(60)
    recovered = recover(sessions, Dispatcher(broker), markers, Queues(), Timing())
    assert recovered is not None
    assert getattr(recovered, loss.replace(" ", "_")) == 1
    assert [(m.task, m.args) for m in broker.taken] == [(SEND_LETTER, (str(letter_id),))]
