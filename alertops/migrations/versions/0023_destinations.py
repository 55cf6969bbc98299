"""Destinations of teams, by Apprise.

Revision: 0023
Follows: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
_TEAMS = "(SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[]"
_OF_TEAM = f"team_id = ANY ({_TEAMS})"
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "destinations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=True),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_destinations_name_length")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_destinations_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destinations")),
        sa.UniqueConstraint("team_id", "name", name=op.f("uq_destinations_team_id_name")),
    )
    op.create_index("ix_destinations_team_created", "destinations", ["team_id", "created_at", "id"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON destinations TO {ROLE}")
    op.execute("ALTER TABLE destinations ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY wall ON destinations USING (current_user <> '{ROLE}' OR {_OF_TEAM})")


def downgrade() -> None:
    op.drop_table("destinations")
