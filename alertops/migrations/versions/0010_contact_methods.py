"""Contact methods of users, and whose address an attempt is for.

Revision: 0010
Follows: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
_TEAMS = "(SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[]"
_OWN = "user_id = (SELECT nullif(current_setting('alertops.user_id', true), '')::uuid)"
_SHARED = f"m.user_id = contact_methods.user_id AND m.team_id = ANY ({_TEAMS})"
# Whom a colleague's node would tell is asked for a preview. Only one's own list is written.
_SEEN = f"{_OWN} OR EXISTS (SELECT FROM memberships m WHERE {_SHARED})"  # nosec B608  names of our own
_WRITTEN = f"current_user <> '{ROLE}' OR {_OWN}"


def upgrade() -> None:
    op.create_table(
        "contact_methods",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("methods", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "jsonb_typeof(methods) = 'array' AND jsonb_array_length(methods) <= 5",
            name=op.f("ck_contact_methods_methods"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_contact_methods_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_contact_methods")),
    )
    op.add_column("attempts", sa.Column("user_id", sa.Uuid(), nullable=True))
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON contact_methods TO {ROLE}")
    op.execute("ALTER TABLE contact_methods ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY wall ON contact_methods USING (current_user <> '{ROLE}' OR {_SEEN})")
    op.execute(
        f"CREATE POLICY own_insert ON contact_methods AS RESTRICTIVE FOR INSERT WITH CHECK ({_WRITTEN})"
    )
    op.execute(f"CREATE POLICY own_update ON contact_methods AS RESTRICTIVE FOR UPDATE USING ({_WRITTEN})")


def downgrade() -> None:
    op.drop_column("attempts", "user_id")
    op.drop_table("contact_methods")
