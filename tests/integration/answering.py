"""The page that the link in an alert opens, as a browser without scripts uses it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import unescape
from typing import Any, cast

from flask import Flask
from werkzeug.test import TestResponse

from alertops.answer_links import AnswerLinks
from alertops.models import Execution, Membership, User
from tests.integration.world import World, node


@dataclass(frozen=True)
class Reader:
    """Whoever has the link that the first step's message brought, or another's."""

    app: Flask
    path: str

    def look(self, method: str = "GET") -> TestResponse:
        return self.app.test_client().open(self.path, method=method)

    def press(self, answer: str, **form: str) -> TestResponse:
        return self.app.test_client().post(self.path, data={"answer": answer, **form})

    def words(self) -> str:
        """What is to be read on the page, as one line."""
        return words_of(self.look())


def reader(app: Flask, execution: Execution, step: int = 1, target: int = 1) -> Reader:
    links = cast(AnswerLinks, app.extensions["alertops.answer_links"])
    return Reader(app, f"/a/{links.token_of(f'{execution.id}.{step}.{target}')}")


def words_of(answer: TestResponse) -> str:
    body = re.sub(r"(?s)<style>.*</style>", "", answer.text)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", body)).split())


def buttons_of(answer: TestResponse) -> list[str]:
    return re.findall(r'<button name="answer" value="(\w+)"', answer.text)


def member(world: World, name: str, role: str = "member") -> User:
    """Somebody of the team."""
    user = User(email=f"{name.lower()}@example.com", name=name, password_hash="-")
    world.session.add(user)
    world.session.flush()
    world.session.add(Membership(team_id=world.team.id, user_id=user.id, role=role))
    world.session.commit()
    return user


def telling(user: User) -> dict[str, Any]:
    """The recipient that is this member."""
    return {"type": "user", "user_id": str(user.id)}


def told(world: World, *people: User) -> Execution:
    """An alert that the first of them was told; the others are next, ten minutes apart, then an outsider."""
    nodes = [node(user.name.lower(), recipient=telling(user)) for user in people]
    first, *rest = [*nodes, node("outside")]
    later = [replace(one, delay_seconds=600) for one in rest]
    execution = world.start(world.flow(replace(first, delay_seconds=0), *later))
    world.fire(execution, 1)
    world.send(execution, 1)
    return execution
