"""What the API's clients were told, held against the database.

The clients' history is the only witness of what was answered: the database could have lost an alert
together with every trace of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from alertops.models import Attempt, Execution, Step
from alertops.verify.promises import Verdict
from alertops.verify.told import Told, read_told
from deploy.chaos.clients import Raised
from deploy.chaos.courses import Moved, begun_with, goes_on_with, is_open, moves, silent_until, times_told
from deploy.chaos.operations import Asked, Kind

PROMISES = {
    "accepted": "every alert that was answered with 2xx has its execution",
    "frozen": "an execution keeps the revision that was answered when it began, until it is asked to move",
    "one execution": "an alert that was sent again while it was open has opened nothing else",
    "answered": "what was answered with 2xx is recorded no later than that, and not more often than asked",
    "unclaimed": "after an answer that silences, nothing fired and no send was claimed before it came back",
}

# What the timeline calls it when an operation has silenced an execution.
SILENCED = {Kind.ACKNOWLEDGE: "acknowledged", Kind.SNOOZE: "snoozed", Kind.CANCEL: "cancelled"}

Activity = Mapping[UUID, Sequence[tuple[str, float]]]


@dataclass(frozen=True)
class Claims:
    """Checks what clients say against rows and timelines; what it finds goes into the verdict.

    `activity` is when each step fired, and each attempt was last claimed and transmitted.
    """

    verdict: Verdict
    executions: Mapping[UUID, Execution]
    told: Mapping[UUID, Told]
    activity: Activity

    def judge(self, history: Sequence[Raised], asked: Sequence[Asked]) -> None:
        by_key: defaultdict[str, list[Execution]] = defaultdict(list)
        for execution in self.executions.values():
            by_key[execution.dedup_key or ""].append(execution)
        words = {one.words for one in asked}
        for raised in history:
            self._accepted(raised, words)
            self._only_one(raised, by_key[raised.key])
        for one in asked:
            self._answered(one)
            if one.answered_at is not None and one.kind in SILENCED:
                self._unclaimed(one, one.answered_at)

    def _accepted(self, raised: Raised, words: set[str]) -> None:
        if raised.execution_id is None:
            return
        found = self.executions.get(raised.execution_id)
        began = begun_with(found, self._said(raised.execution_id))
        right = found is not None and (found.dedup_key, str(began.flow_id)) == (raised.key, raised.flow_id)
        what = f"{raised.execution_id} was answered to {raised.key}, and the database has {found}"
        self.verdict.require("accepted", raised.execution_id, right, what)
        if found is not None:
            self._frozen(raised, found, began, words)

    def _frozen(self, raised: Raised, found: Execution, began: Moved, words: set[str]) -> None:
        """It is where it was begun, or last moved to; and nothing has moved it that nobody asked for."""
        courses = [began, *moves(self._said(found.id))]
        runs = (found.flow_id, None if found.definition is not None else found.revision_number)
        kept = began.revision == raised.revision and (courses[-1].flow_id, courses[-1].revision) == runs
        kept &= all(
            later.words in words
            for earlier, later in pairwise(courses)
            if not later.runs_the_same_as(earlier)
        )
        what = f"{found.id} began with revision {raised.revision}, and is now {found}"
        self.verdict.require("frozen", found.id, kept, what)

    def _only_one(self, raised: Raised, of_key: Sequence[Execution]) -> None:
        """Exhausted, then raised again: a new alert, as nobody is being told of the old one any more."""
        in_order = sorted(of_key, key=lambda execution: execution.created_at)
        for earlier, later in pairwise(in_order):
            # `created_at` is when a transaction began, which may have waited; the timeline: when it wrote.
            began_at = begun_with(later, self._said(later.id)).at
            over = not is_open(self._said(earlier.id), began_at)
            what = f"{raised.key} opened {earlier.id} and {later.id}"
            self.verdict.require("one execution", later.id, over, what)

    def _answered(self, asked: Asked) -> None:
        """Asked once more after an error, it may have been done before; then it changed nothing."""
        told = times_told(self._said(asked.execution_id), asked.words)
        if asked.refused and not asked.refused.startswith("409"):
            self._require_answered(asked, False, f"was refused: {asked.refused}")
        self._require_answered(
            asked, len(told) <= asked.tries, f"was asked {asked.tries} times, done at {told}"
        )
        if asked.answered_at is not None and asked.changed:
            as_wanted = goes_on_with(self._said(asked.execution_id), asked.words, asked.wanted)
            self._require_answered(asked, as_wanted, f"was to lead to {asked.wanted}, and has not")
            in_time = bool(told) and told[0] <= asked.answered_at
            self._require_answered(asked, in_time, f"was answered at {asked.answered_at}, done at {told}")

    def _require_answered(self, asked: Asked, kept: bool, what: str) -> None:
        name = f"{asked.words} ({asked.execution_id})"
        self.verdict.require("answered", asked.execution_id, kept, f"{name} {what}")

    def _unclaimed(self, asked: Asked, answered_at: datetime) -> None:
        said = self._said(asked.execution_id)
        silenced = [
            at for event, at, _ in said.of_course if event == SILENCED[asked.kind] and at <= answered_at
        ]
        what = f"was answered at {answered_at}, and the timeline does not say so"
        self._require_answered(asked, bool(silenced), what)
        if not silenced:
            return
        start, end = answered_at.timestamp(), silent_until(said, silenced[-1]).timestamp()
        after = [
            f"{name} {when - start:.3f} s"
            for name, when in self.activity.get(asked.execution_id, ())
            if start < when < end
        ]
        what = f"{asked.execution_id} had {', '.join(after)} after {asked.words} was answered"
        self.verdict.require("unclaimed", asked.execution_id, not after, what)

    def _said(self, execution_id: UUID) -> Told:
        return self.told.get(execution_id, Told())


def check_claims(
    verdict: Verdict, session: Session, history: Sequence[Raised], asked: Sequence[Asked], lease: timedelta
) -> None:
    """Check every promise to a client; `lease` is for how long an attempt is claimed."""
    executions = {execution.id: execution for execution in session.scalars(select(Execution))}
    activity = read_activity(session.scalars(select(Step)), session.scalars(select(Attempt)), lease)
    told = read_told(session, list(executions))
    Claims(verdict, executions, told, activity).judge(history, asked)
    session.rollback()


def read_activity(steps: Iterable[Step], attempts: Iterable[Attempt], lease: timedelta) -> Activity:
    """When each step fired, and each attempt was last claimed and transmitted, by execution."""
    found: defaultdict[UUID, list[tuple[str, float]]] = defaultdict(list)
    for step in steps:
        if step.fired_at is not None:
            found[step.execution_id].append((f"a firing of step {step.number}", step.fired_at.timestamp()))
    for attempt in attempts:
        name = f"{attempt.step_number}.{attempt.target_number}.{attempt.number}"
        if attempt.lease_until is not None:
            claimed_at = attempt.lease_until - lease
            found[attempt.execution_id].append((f"a claim of {name}", claimed_at.timestamp()))
        if attempt.transmit_at is not None:
            found[attempt.execution_id].append((f"a send of {name}", attempt.transmit_at.timestamp()))
    return found
