"""An alert as one of those who were told wants to read it: how it stands, who did what, who is told next.

It is read without a lock: what happens at this very moment may be in it, or not yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.db import database_now
from alertops.escalation.flow import flow_from_json
from alertops.escalation.states import ExecutionStatus, StepStatus
from alertops.models import ApiKey, Execution, Flow, FlowRevision, Outsider, Team, TimelineEntry, User
from alertops.services.answer_by_mail import MailAnswer
from alertops.services.find_linked import Linked
from alertops.services.show_execution import ShownStep, show_execution

MAX_ENTRIES = 50

_OPEN = (MailAnswer.ACKNOWLEDGE, MailAnswer.RESOLVE)
_ANSWERS = {
    ExecutionStatus.RUNNING: _OPEN,
    ExecutionStatus.SNOOZED: _OPEN,
    ExecutionStatus.EXHAUSTED: _OPEN,
    ExecutionStatus.ACKNOWLEDGED: (MailAnswer.RESOLVE,),
}


@dataclass(frozen=True)
class Happening:
    """One entry of the timeline; `who` is a name or an address, or None: nobody, or nobody known."""

    at: datetime
    event: str
    node_name: str | None
    who: str | None
    is_you: bool
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class NextStep:
    """Who is told next, and when; `whom` is not for people outside the team."""

    node_name: str
    due_at: datetime
    whom: str | None


@dataclass(frozen=True)
class Story:
    """What the page of a link shows, as it was at `now`."""

    linked: Linked
    now: datetime
    team_name: str
    flow_name: str
    # What made it what it is, if anything but its beginning did.
    turn: Happening | None
    next_step: NextStep | None
    happenings: list[Happening]
    shortened: bool

    @property
    def status(self) -> ExecutionStatus:
        return ExecutionStatus(self.linked.execution.status)

    @property
    def answers(self) -> tuple[MailAnswer, ...]:
        """What its reader can do about it now."""
        return _ANSWERS.get(self.status, ())


def tell_story(session: Session, linked: Linked) -> Story:
    """Read all of it as it is now."""
    execution = linked.execution
    session.refresh(execution)
    team_name, flow_name = session.execute(
        select(Team.name, Flow.name).join(Team, Team.id == Flow.team_id).where(Flow.id == execution.flow_id)
    ).one()
    steps = show_execution(session, execution).steps
    newest = _newest(session, execution)
    turn = _turn(session, execution)
    tell = _Teller(session, linked, steps, [*newest, *([turn] if turn else [])])
    return Story(
        linked=linked,
        now=database_now(session),
        team_name=team_name,
        flow_name=flow_name,
        turn=tell.of(turn) if turn else None,
        next_step=_next_step(session, linked, steps),
        happenings=[tell.of(entry) for entry in newest[:MAX_ENTRIES]][::-1],
        shortened=len(newest) > MAX_ENTRIES,
    )


def _newest(session: Session, execution: Execution) -> list[TimelineEntry]:
    return list(
        session.scalars(
            select(TimelineEntry)
            .where(TimelineEntry.execution_id == execution.id)
            .order_by(TimelineEntry.id.desc())
            .limit(MAX_ENTRIES + 1)
        )
    )


def _turn(session: Session, execution: Execution) -> TimelineEntry | None:
    """The entry of the transition into the state of now; there is none into the first one."""
    if execution.status == ExecutionStatus.RUNNING:
        return None
    return session.scalars(
        select(TimelineEntry)
        .where(TimelineEntry.execution_id == execution.id, TimelineEntry.event == execution.status)
        .order_by(TimelineEntry.id.desc())
        .limit(1)
    ).one_or_none()


class _Teller:
    """Knows the names that go with the ids in some entries."""

    def __init__(
        self, session: Session, linked: Linked, steps: Iterable[ShownStep], entries: Iterable[TimelineEntry]
    ) -> None:
        self._you = linked.holder.id
        self._nodes = {step.number: step.node_name for step in steps}
        self._names = _names(session, {entry.actor_id for entry in entries if entry.actor_id})

    def of(self, entry: TimelineEntry) -> Happening:
        actor = entry.actor_id
        by_mail = entry.detail.get("by_mail")
        return Happening(
            at=entry.at,
            event=entry.event,
            node_name=self._nodes.get(entry.step_number) if entry.step_number else None,
            who=self._names.get(actor, by_mail) if actor else None,
            is_you=actor == self._you,
            detail=entry.detail,
        )


def _names(session: Session, ids: set[UUID]) -> dict[UUID, str]:
    """Who the ids are, as far as they still belong to the team."""
    names: dict[UUID, str] = {}
    for id_, name in (User.id, User.name), (ApiKey.id, ApiKey.name), (Outsider.id, Outsider.address):
        names.update(session.execute(select(id_, name).where(id_.in_(ids))).all())
    return names


def _next_step(session: Session, linked: Linked, steps: Iterable[ShownStep]) -> NextStep | None:
    if linked.execution.status != ExecutionStatus.RUNNING:
        return None
    for step in steps:
        if step.status in (StepStatus.WAITING, "planned"):
            whom = _whom(session, linked.execution, step) if linked.holder.is_member else None
            return NextStep(step.node_name, step.due_at, whom)
    return None


def _whom(session: Session, execution: Execution, step: ShownStep) -> str:
    revision = session.get_one(FlowRevision, (execution.flow_id, execution.revision_number))
    return _words(session, flow_from_json(revision.definition).nodes[step.node_index].recipient)


def _words(session: Session, recipient: Mapping[str, Any]) -> str:
    match recipient:
        case {"type": "email", "email": address}:
            return str(address)
        case {"type": "user", "user_id": user_id}:
            name = session.scalar(select(User.name).where(User.id == UUID(user_id)))
            return name or "somebody who is not in the team any more"
        case {"type": "role", "role": role}:
            return f"everybody who is {role}"
        case {"type": "webhook", "url": url}:
            # The rest of it may be a secret.
            return f"a webhook at {urlsplit(url).hostname}"
        case {"type": "group", "recipients": recipients}:
            return ", ".join(_words(session, one) for one in recipients)
        case _:
            return str(recipient.get("type"))
