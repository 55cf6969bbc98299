"""Who acts, from where, and on what they are asking to act."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from alertops.models.actor_kind import ActorKind
from alertops.models.api_key import Scope
from alertops.services.access.permissions import Action
from alertops.services.accounts.open_session import Client


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in."""

    id: UUID
    client: Client = field(default_factory=Client)

    @property
    def kind(self) -> ActorKind:
        return ActorKind.USER


@dataclass(frozen=True)
class Program:
    """A program with a key of this team."""

    id: UUID
    team_id: UUID
    scopes: frozenset[Scope]
    client: Client = field(default_factory=Client)

    @property
    def kind(self) -> ActorKind:
        return ActorKind.API_KEY


@dataclass(frozen=True)
class TokenHolder:
    """Whoever has a token that was mailed, and is not logged in: of an invitation, or of an outsider.

    The id is that of the invitation, or of the outsider.
    """

    kind: ActorKind
    id: UUID
    client: Client = field(default_factory=Client)


@dataclass(frozen=True)
class LinkHolder:
    """Whoever has the link that an alert brought, and is not logged in.

    The id is that of the member whose address it is, or of the outsider; `name` is the member's.
    """

    kind: ActorKind
    id: UUID
    team_id: UUID
    address: str
    name: str | None = None
    client: Client = field(default_factory=Client)

    @property
    def is_member(self) -> bool:
        return self.kind is ActorKind.USER


@dataclass(frozen=True)
class Monitor:
    """A monitoring system with the key of an integration: the way in that it is is all that it may use."""

    id: UUID
    team_id: UUID


# Who can come to the door of a team. Holders of tokens and links, and monitors, cannot: each has one thing.
Actor = Person | Program


@dataclass(frozen=True)
class Asking:
    """Somebody asks to do something; in which team it would be, what they ask for tells."""

    actor: Actor
    action: Action
