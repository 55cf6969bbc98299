"""Who can act in a team."""

from __future__ import annotations

from enum import StrEnum


class ActorKind(StrEnum):
    """A person, a program with a key, or who reads what an invitation or an alert was sent to."""

    USER = "user"
    API_KEY = "api_key"
    INVITEE = "invitee"
    OUTSIDER = "outsider"
