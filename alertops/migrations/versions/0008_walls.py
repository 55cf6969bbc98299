"""The second wall: a role behind which only the rows of some teams exist.

Revision: 0008
Follows: 0007

The policies hold for that one role (`alertops.services.access.wall` takes it on) and let all others pass,
also those that do not own the tables: workers and tools work for all teams, and a row that is hidden
from recovery is an alert that is lost.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"

# Read once a statement, not once a row. Not set, or no longer, is null: equal to nothing.
_TEAMS = "(SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[]"
_USER = "(SELECT nullif(current_setting('alertops.user_id', true), '')::uuid)"

_OF_TEAM = f"team_id = ANY ({_TEAMS})"
_OWN = f"user_id = {_USER}"


def _through(parent: str, column: str) -> str:
    """Whoever sees the parent sees the child: the parent's own wall is asked."""
    return f"EXISTS (SELECT FROM {parent} parent WHERE parent.id = {column})"  # nosec B608  names of our own


_OF_FLOW = _through("flows", "flow_id")
_OF_EXECUTION = _through("executions", "execution_id")
_SHARED = f"m.user_id = users.id AND m.{_OF_TEAM}"
_COLLEAGUE = f"EXISTS (SELECT FROM memberships m WHERE {_SHARED})"  # nosec B608  names of our own

# What is there behind the wall, and what may be done to it.
_WALLS = {
    "teams": ("SELECT, UPDATE", f"id = ANY ({_TEAMS})"),
    "memberships": ("SELECT, INSERT, UPDATE, DELETE", _OF_TEAM),
    "api_keys": ("SELECT, INSERT, UPDATE, DELETE", _OF_TEAM),
    "audit_log": ("SELECT, INSERT", _OF_TEAM),
    "invitations": ("SELECT, INSERT, UPDATE", _OF_TEAM),
    "outsiders": ("SELECT, INSERT, UPDATE, DELETE", _OF_TEAM),
    "flows": ("SELECT, INSERT, UPDATE", _OF_TEAM),
    "nodes": ("SELECT, INSERT, UPDATE, DELETE", _OF_FLOW),
    "revisions": ("SELECT, INSERT", _OF_FLOW),
    "executions": ("SELECT, INSERT, UPDATE", _OF_TEAM),
    "steps": ("SELECT, INSERT, UPDATE", _OF_EXECUTION),
    "attempts": ("SELECT, INSERT, UPDATE", _OF_EXECUTION),
    "timeline": ("SELECT, INSERT", _OF_EXECUTION),
    "users": ("SELECT, UPDATE, DELETE", f"id = {_USER} OR {_COLLEAGUE}"),
    "login_sessions": ("SELECT, DELETE", _OWN),
    "letters": (
        "SELECT, INSERT, UPDATE, DELETE",
        f"{_OWN} OR {_through('invitations', 'invitation_id')} OR {_through('outsiders', 'outsider_id')}",
    ),
    "mail_tokens": (
        "SELECT",
        f"{_through('letters', 'letter_id')} OR {_through('outsiders', 'outsider_id')}",
    ),
}

# Colleagues are seen, and not touched: only oneself is changed, locked, or deleted.
_ONESELF = ("UPDATE", "DELETE")

# Keyed hashes, which say nothing about anybody: limits are counted behind the wall, too.
_THROTTLES = "SELECT, INSERT, UPDATE, DELETE"

# A role belongs to all databases of the server. Migrations of two of them may make it at the same moment.
_MAKE_ROLE = f"""
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
            BEGIN
                CREATE ROLE {ROLE} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF NOT pg_has_role('{ROLE}', 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT {ROLE} TO %I', current_user);
            EXCEPTION WHEN unique_violation THEN NULL;
            END;
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format(
            '%I may not make the role {ROLE}, or take it on. Have an administrator run: '
            'CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO %I;  (the first part only if there is no such role)',
            current_user, current_user);
    END
    $$
"""  # nosec B608  names of our own


def upgrade() -> None:
    op.execute(_MAKE_ROLE)
    op.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
    op.execute(f"GRANT {_THROTTLES} ON throttles TO {ROLE}")
    for table, (privileges, visible) in _WALLS.items():
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY wall ON {table} USING (current_user <> '{ROLE}' OR {visible})")
    for command in _ONESELF:
        op.execute(
            f"CREATE POLICY oneself_{command.lower()} ON users AS RESTRICTIVE FOR {command}"
            f" USING (current_user <> '{ROLE}' OR id = {_USER})"
        )


def downgrade() -> None:
    """The role stays: other databases of the server may have it in their privileges."""
    for command in _ONESELF:
        op.execute(f"DROP POLICY oneself_{command.lower()} ON users")
    for table in _WALLS:
        op.execute(f"DROP POLICY wall ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
    op.execute(f"REVOKE ALL ON throttles FROM {ROLE}")
    op.execute(f"REVOKE USAGE ON SCHEMA public FROM {ROLE}")
