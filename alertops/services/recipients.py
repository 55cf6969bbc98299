"""What a recipient resolves to: the addresses to try, when, on which channels; and who is left out, and why.

Nobody is an answer too: a user who has left the team is told nothing, nor is one who has quiet hours then,
nor an address that does not want to be told, or has not said that it may be; and the escalation goes on.

It is asked when a step fires, and by whoever wants to know beforehand what would come of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.orm import Session

from alertops.escalation.contact import ContactMethod, methods_from_json
from alertops.escalation.recipients import Recipient, all_singles, singles
from alertops.models import ContactMethods, Membership, User
from alertops.services.destinations.find_destinations import names_of
from alertops.services.gone_webhooks import GoneUrls, gone_urls
from alertops.services.invitations.outsiders import look_up_outsider, outsider_of
from alertops.services.prepared import Prepared
from alertops.services.resolution import (
    Found,
    LeftOut,
    Part,
    Resolution,
    Target,
    Why,
    resolution_of,
    shown_address,
)

NOT_A_MEMBER = "Not a member of this team."
NO_DESTINATION = "There is no such destination in this team."

# Of those who have a role, as many are looked at, the first who joined.
MAX_MEMBERS = 200


def _members(who: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """These members of a team, in the order in which they joined, each with how many there are."""
    return (
        select(User.id, User.email, ContactMethods.methods, func.count().over().label("of_all"))
        .join(Membership, Membership.user_id == User.id)
        .outerjoin(ContactMethods, ContactMethods.user_id == User.id)
        .where(Membership.team_id == bindparam("team"), who)
        .order_by(Membership.created_at, User.id)
        .limit(bindparam("most"))
    )


_MEMBER = Prepared("read_member", _members(User.id == bindparam("user")))
_WITH_ROLE = Prepared("read_members_with_role", _members(Membership.role == bindparam("role")))


def resolve_recipient(
    session: Session,
    team_id: UUID,
    recipient: Recipient,
    *,
    at: datetime,
    severity: str,
    confirmed_only: bool,
    firing: bool = False,
) -> Resolution:
    """Resolve a node's recipient, as things are now, for a step that is due at this time.

    With `confirmed_only`, addresses of others than members are told nothing before they have agreed to it. It
    only reads; but for a step that is `firing`, an address that is no member's and is new gets its row.
    """
    resolver = _Resolver(session, team_id, at, severity, confirmed_only, firing)
    return resolution_of(
        part for pointer, single in singles(recipient) for part in resolver.parts(pointer, single)
    )


def find_strangers(session: Session, team_id: UUID, recipients: Iterable[Recipient]) -> set[str]:
    """The ids of the users among the recipients who are not members of the team."""
    named = {single["user_id"] for single in all_singles(recipients) if single["type"] == "user"}
    if not named:
        return set()
    ids = [UUID(user_id) for user_id in named]
    members = session.scalars(
        select(Membership.user_id).where(Membership.team_id == team_id, Membership.user_id.in_(ids))
    )
    return named - {str(user_id) for user_id in members}


def find_missing(session: Session, team_id: UUID, recipients: Iterable[Recipient]) -> set[str]:
    """The ids of the destinations among the recipients that the team does not have."""
    named = {s["destination_id"] for s in all_singles(recipients) if s["type"] == "destination"}
    there = names_of(session, team_id, [UUID(destination_id) for destination_id in named])
    return named - {str(destination_id) for destination_id in there}


def stranger_faults(
    session: Session, team_id: UUID, recipients: Iterable[tuple[str, Recipient]]
) -> list[tuple[str, str]]:
    """What is wrong with the recipients at these JSON pointers: users, and destinations, of other teams."""
    named = [found for pointer, recipient in recipients for found in singles(recipient, pointer)]
    told = [single for _, single in named]
    strangers, missing = find_strangers(session, team_id, told), find_missing(session, team_id, told)
    faults = []
    for pointer, single in named:
        if single.get("user_id") in strangers:
            faults.append((f"{pointer}/user_id", NOT_A_MEMBER))
        elif single.get("destination_id") in missing:
            faults.append((f"{pointer}/destination_id", NO_DESTINATION))
    return faults


@dataclass(frozen=True)
class _Resolver:
    session: Session
    team_id: UUID
    at: datetime
    severity: str
    confirmed_only: bool
    firing: bool

    def parts(self, pointer: str, single: Recipient) -> Iterator[Part]:
        """What a recipient that is no group comes to."""
        match single["type"]:
            case "email":
                yield self._address(pointer, single["email"])
            case "webhook":
                yield self._unless_gone(pointer, Target("webhook", single["url"]))
            case "destination":
                yield self._destination(pointer, UUID(single["destination_id"]))
            case "user":
                yield from self._user(pointer, UUID(single["user_id"]))
            case "role":
                yield from self._role(pointer, single["role"])
            case unknown:
                raise ValueError(f"a revision holds a recipient of the unknown type {unknown!r}")

    def _address(self, pointer: str, address: str) -> Part:
        find = outsider_of if self.firing else look_up_outsider
        outsider = find(self.session, self.team_id, address)
        if outsider is None:
            return Found(pointer, Target("email", address))
        refusal = outsider.refusal(confirmed_only=self.confirmed_only)
        if refusal is not None:
            return LeftOut(pointer, Why(refusal.value), channel="email", address=address)
        return Found(pointer, Target("email", address, outsider.id))

    def _destination(self, pointer: str, destination_id: UUID) -> Part:
        name = names_of(self.session, self.team_id, [destination_id]).get(destination_id)
        if name is None:
            return LeftOut(pointer, Why.DELETED, channel="apprise", address=str(destination_id))
        return Found(pointer, Target("apprise", str(destination_id), name=name))

    def _user(self, pointer: str, user_id: UUID) -> Iterator[Part]:
        members, _ = self._members(_MEMBER, {"user": user_id})
        if not members:
            yield LeftOut(pointer, Why.NOT_A_MEMBER, user_id)
        for member in members:
            yield from self._methods(pointer, member)

    def _role(self, pointer: str, role: str) -> Iterator[Part]:
        members, count = self._members(_WITH_ROLE, {"role": role})
        if not members:
            yield LeftOut(pointer, Why.NOBODY_WITH_ROLE)
        for member in members:
            yield from self._methods(pointer, member)
        if count > len(members):
            yield LeftOut(pointer, Why.TOO_MANY, count=count - len(members))

    def _members(self, which: Prepared, values: Mapping[str, Any]) -> tuple[list[_Member], int]:
        """These members, up to a bound; and how many they are."""
        known = {"team": self.team_id, "most": MAX_MEMBERS}
        rows = which.run(self.session, {**known, **values}).all()
        members = [_Member(row.id, row.email, methods_from_json(row.methods)) for row in rows]
        return members, rows[0].of_all if rows else 0

    def _methods(self, pointer: str, member: _Member) -> Iterator[Part]:
        for method in member.methods:
            address = method.url or member.email
            if method.is_quiet(self.at, self.severity):
                shown = shown_address(method.channel, address)
                yield LeftOut(pointer, Why.QUIET, member.id, method.channel, shown)
            else:
                after = method.after_seconds
                target = Target(method.channel, address, after_seconds=after, user_id=member.id)
                yield self._unless_gone(pointer, target)

    def _unless_gone(self, pointer: str, target: Target) -> Part:
        if target.channel != "webhook" or target.address not in self._gone:
            return Found(pointer, target)
        return LeftOut(pointer, Why.GONE, target.user_id, target.channel, target.shown)

    @cached_property
    def _gone(self) -> GoneUrls:
        """Asked for once, and only where a webhook is to be told."""
        return gone_urls(self.session, self.team_id)


@dataclass(frozen=True)
class _Member:
    id: UUID
    email: str
    methods: Iterable[ContactMethod]
