"""Who may do what in a team: one table. The routes ask it, and the documentation is made from it.

Roles are ordered: each may do what the one before it may. A key may do what one of its scopes says, whoever
made it, and nothing that has to do with people, keys or the team itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from alertops.models.api_key import Scope
from alertops.models.team import Role

# From the least to the most.
ORDER = (Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER)


class Action(StrEnum):
    """What can be done in a team; each route is for one of these."""

    VIEW = "view"
    RAISE_ALERT = "raise_alert"
    ANSWER = "answer"
    EDIT_FLOWS = "edit_flows"
    DECLARE_MAINTENANCE = "declare_maintenance"
    MANAGE_SUBSCRIPTIONS = "manage_subscriptions"
    MANAGE_DESTINATIONS = "manage_destinations"
    LEAVE = "leave"
    RENAME_TEAM = "rename_team"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_KEYS = "manage_keys"
    READ_AUDIT_LOG = "read_audit_log"
    HAND_OVER = "hand_over"
    DELETE_TEAM = "delete_team"


@dataclass(frozen=True)
class Rule:
    """What the action is, in words; the least role that may do it, and the scopes of keys that may."""

    words: str
    role: Role
    scopes: frozenset[Scope] = frozenset()


PERMISSIONS: dict[Action, Rule] = {
    Action.VIEW: Rule(
        "see the team, its members, flows, executions and timelines",
        Role.VIEWER,
        frozenset({Scope.READ, Scope.MANAGE}),
    ),
    Action.LEAVE: Rule("leave the team", Role.VIEWER),
    Action.RAISE_ALERT: Rule("raise alerts", Role.MEMBER, frozenset({Scope.TRIGGER, Scope.MANAGE})),
    Action.ANSWER: Rule("acknowledge and resolve executions", Role.MEMBER, frozenset({Scope.MANAGE})),
    Action.EDIT_FLOWS: Rule(
        "create, change and archive flows, and the integrations and heartbeats that lead to them",
        Role.MEMBER,
        frozenset({Scope.MANAGE}),
    ),
    Action.DECLARE_MAINTENANCE: Rule(
        "declare maintenance, and end it", Role.MEMBER, frozenset({Scope.MANAGE})
    ),
    Action.MANAGE_SUBSCRIPTIONS: Rule(
        "subscribe machines to what happens to executions", Role.ADMIN, frozenset({Scope.MANAGE})
    ),
    Action.MANAGE_DESTINATIONS: Rule(
        "say where alerts can go by services such as chats", Role.ADMIN, frozenset({Scope.MANAGE})
    ),
    Action.RENAME_TEAM: Rule("rename the team", Role.ADMIN),
    Action.MANAGE_MEMBERS: Rule("invite people, remove members and change their roles", Role.ADMIN),
    Action.MANAGE_KEYS: Rule("make and revoke API keys and webhook secrets", Role.ADMIN),
    Action.READ_AUDIT_LOG: Rule("read the audit log", Role.ADMIN),
    Action.HAND_OVER: Rule("make others owners, and owners others", Role.OWNER),
    Action.DELETE_TEAM: Rule("delete the team", Role.OWNER),
}


def role_may(role: Role, action: Action) -> bool:
    """Whether a member with this role may do this."""
    return ORDER.index(role) >= ORDER.index(PERMISSIONS[action].role)


def scopes_may(scopes: Collection[Scope], action: Action) -> bool:
    """Whether a key with these scopes may do this."""
    return not PERMISSIONS[action].scopes.isdisjoint(scopes)


def roles_for(action: Action) -> list[Role]:
    """The roles that may do this, the least first."""
    return [role for role in ORDER if role_may(role, action)]
