"""Who can act in a team."""

from __future__ import annotations

from enum import StrEnum


class ActorKind(StrEnum):
    """A person, or a program with one of the team's keys."""

    USER = "user"
    API_KEY = "api_key"
