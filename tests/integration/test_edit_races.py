"""Two at a flow at once, in an order that is forced by a lock that the test holds, or by a half-done start.

An edit keeps other edits out, and lets alerts pass. Archiving keeps alerts out too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from alertops.errors import ConflictError
from alertops.models import Execution, Flow, FlowNode
from alertops.services.access.actor import Person as Actor
from alertops.services.dispatch import Dispatcher
from alertops.services.flows.archive_flow import archive_flow
from alertops.services.flows.edit_flow import change_flow, remove_node
from alertops.services.flows.lock_flow import Editor, lock_flow
from alertops.services.start_execution import Alert, Started, start_execution
from tests.integration.api_client import Person, a_node, assert_problem, person
from tests.integration.editing import EditedFlow, edited_flow, frozen
from tests.integration.world import Broker, Queue

Sessions = sessionmaker[Session]


@dataclass(frozen=True)
class Desk:
    """A flow of two nodes, and what people do to it at once."""

    flow: EditedFlow
    sessions: Sessions

    @property
    def id(self) -> UUID:
        return UUID(self.flow.id)

    @property
    def editor(self) -> Editor:
        """Somebody who does not look what there is."""
        return Editor(Actor(self.flow.ann.id), None)

    def queue(self) -> Queue:
        return Queue(self.sessions, lambda holder: lock_flow(holder, holder.get_one(Flow, self.id)))

    def rename(self, session: Session) -> None:
        change_flow(session, session.get_one(Flow, self.id), self.editor, {"name": "renamed"})

    def remove_first(self, session: Session) -> None:
        first = select(FlowNode.id).where(FlowNode.flow_id == self.id, FlowNode.position == 0)
        node_id = session.scalars(first).one()
        remove_node(session, session.get_one(Flow, self.id), self.editor, node_id)

    def archive(self, session: Session) -> None:
        archive_flow(session, session.get_one(Flow, self.id), self.editor)

    def start(self, session: Session) -> Started:
        alert = Alert("disk full", "critical", {})
        flow = session.get_one(Flow, self.id)
        return start_execution(session, Dispatcher(Broker()), flow, alert, None)

    def another_ann(self) -> Person:
        """The same person at another keyboard."""
        return replace(self.flow.ann, client=self.flow.ann.client.application.test_client())

    def executions(self) -> Sequence[Execution]:
        with self.sessions() as session:
            return session.scalars(select(Execution)).all()


@pytest.fixture
def desk(app: Flask, sessions: Sessions) -> Desk:
    return Desk(edited_flow(person(app, "ann"), "a", "b"), sessions)


def call(desk: Desk, method: str, path: str, body: Any) -> Callable[[Session], TestResponse]:
    """An edit over HTTP, by somebody who has seen revision 1."""
    ann = desk.another_ann()
    return lambda _: ann.call(method, desk.flow.path + path, body, headers={"If-Match": '"1"'})


def test_of_two_editors_at_once_one_is_told_that_they_came_too_late(desk: Desk) -> None:
    first, second = desk.flow.ids()
    with desk.queue() as queue:
        order = queue.submit(call(desk, "PUT", "/nodes/order", {"node_ids": [second, first]}))
        removal = queue.submit(call(desk, "DELETE", f"/nodes/{second}", None))
    assert order.result().status_code == 200
    late = removal.result()
    assert_problem(late, 412)
    assert late.headers["ETag"] == order.result().headers["ETag"] == '"2"'
    assert desk.flow.ids() == [second, first]


def test_of_ten_editors_at_once_one_has_their_way(desk: Desk, session: Session) -> None:
    bodies = [{"name": f"Name {number}"} for number in range(10)]
    with desk.queue() as queue:
        futures = [queue.submit(call(desk, "PATCH", "", body)) for body in bodies]
    answers = [future.result() for future in futures]
    assert [answer.status_code for answer in answers] == [200] + [412] * 9
    assert desk.flow.get()["name"] == "Name 0"
    assert [revision.number for revision in frozen(session)] == [1, 2]


def test_edits_whose_order_nobody_forces_are_each_done_on_what_was_there(
    desk: Desk, session: Session
) -> None:
    """With `*` all of eight come through, one after the other, and none undoes another."""

    def add(number: int) -> int:
        ann = desk.another_ann()
        body = a_node(f"n{number}", position=0)
        return ann.post(f"{desk.flow.path}/nodes", body, headers={"If-Match": "*"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(add, range(8))) == [201] * 8
    revisions = frozen(session)
    assert [len(revision.definition["nodes"]) for revision in revisions] == list(range(2, 11))
    assert sorted(revision.created_at for revision in revisions) == [r.created_at for r in revisions]
    assert desk.flow.get()["nodes"] == revisions[-1].definition["nodes"]


@pytest.mark.parametrize("edit", [Desk.rename, Desk.remove_first])
def test_an_alert_does_not_wait_for_an_edit_and_freezes_the_revision_before_it(
    desk: Desk, edit: Callable[[Desk, Session], None]
) -> None:
    seen: list[int] = []

    def start_in_the_middle(_: Any) -> None:
        with desk.sessions() as session, ThreadPoolExecutor(1) as pool:
            # Were it to wait, it would be for us, and the result would never come.
            started = pool.submit(desk.start, session).result(timeout=10)
            seen.append(started.execution.revision_number)

    with desk.sessions() as session:
        event.listen(session, "before_commit", start_in_the_middle)
        edit(desk, session)
    assert seen == [1]
    with desk.sessions() as session:
        assert desk.start(session).execution.revision_number == 2


def test_an_edit_does_not_wait_for_an_alert_that_is_half_in(desk: Desk) -> None:
    def edit_in_the_middle(_: Any) -> None:
        with desk.sessions() as session, ThreadPoolExecutor(1) as pool:
            pool.submit(desk.remove_first, session).result(timeout=10)

    with desk.sessions() as session:
        event.listen(session, "before_commit", edit_in_the_middle, once=True)
        execution_id = desk.start(session).execution.id
    shown = desk.flow.ann.get(f"/executions/{execution_id}").json or {}
    assert (shown["revision"], desk.flow.get()["revision"]) == (1, 2)
    assert [step["node_name"] for step in shown["steps"]] == ["a", "b"]


def test_an_alert_that_waited_for_the_archiving_starts_nothing(desk: Desk) -> None:
    def hold(holder: Session) -> None:
        lock_flow(holder, holder.get_one(Flow, desk.id), against_starts=True)

    with Queue(desk.sessions, hold) as queue:
        archiving = queue.submit(desk.archive)
        starting = queue.submit(desk.start)
    archiving.result()
    with pytest.raises(ConflictError, match="archived"):
        starting.result()
    assert desk.executions() == []


def test_archiving_waits_for_an_alert_that_is_half_in(desk: Desk) -> None:
    archiving: list[Future[None]] = []
    with Queue(desk.sessions, lambda _: None) as queue, desk.sessions() as session:
        event.listen(
            session, "before_commit", lambda _: archiving.append(queue.submit(desk.archive)), once=True
        )
        desk.start(session)
    archiving[0].result()
    [execution] = desk.executions()
    archived_at = datetime.fromisoformat(desk.flow.get()["archived_at"])
    assert execution.created_at < archived_at


def test_an_edit_that_waited_for_the_archiving_is_refused(desk: Desk) -> None:
    with desk.queue() as queue:
        archiving = queue.submit(desk.archive)
        renaming = queue.submit(desk.rename)
    archiving.result()
    with pytest.raises(ConflictError, match="archived"):
        renaming.result()
    assert desk.flow.get()["revision"] == 1


@pytest.mark.parametrize("listed", [False, True], ids=["alone", "in the list"])
def test_a_flow_that_is_read_while_it_is_edited_is_of_one_revision(
    app: Flask, desk: Desk, listed: bool
) -> None:
    team = desk.flow.get()["team_id"]
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    edited: list[str] = []

    def edit_after_the_first_look(_c: Any, _x: Any, statement: str, *_: Any) -> None:
        if "FROM flows" in statement and not edited:
            edited.append(statement)
            with desk.sessions() as session:
                desk.remove_first(session)

    event.listen(engine, "after_cursor_execute", edit_after_the_first_look)
    path = f"/teams/{team}/flows" if listed else desk.flow.path
    answer = desk.flow.ann.get(path).json or {}
    event.remove(engine, "after_cursor_execute", edit_after_the_first_look)
    shown = answer["items"][0] if listed else answer
    assert edited
    assert (shown["revision"], [node["name"] for node in shown["nodes"]]) == (1, ["a", "b"])
    assert (desk.flow.get()["revision"], desk.flow.names()) == (2, "b")
