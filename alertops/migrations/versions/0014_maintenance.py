"""Maintenance windows.

Revision: 0014
Follows: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
_TEAMS = "(SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[]"


def upgrade() -> None:
    op.create_table(
        "maintenance_windows",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hours", JSONB(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "char_length(name) BETWEEN 1 AND 100", name=op.f("ck_maintenance_windows_name_length")
        ),
        sa.CheckConstraint("mode IN ('hold', 'drop')", name=op.f("ck_maintenance_windows_mode")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_maintenance_windows_ends_at")),
        sa.CheckConstraint(
            "ends_at IS NOT NULL OR hours IS NOT NULL", name=op.f("ck_maintenance_windows_has_an_end")
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_maintenance_windows_team_id_teams"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_maintenance_windows_flow_id_flows"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_windows")),
    )
    op.create_index(op.f("ix_maintenance_windows_flow_id"), "maintenance_windows", ["flow_id"])
    op.create_index(
        "ix_maintenance_windows_team_created", "maintenance_windows", ["team_id", "created_at", "id"]
    )
    op.create_index(
        "ix_maintenance_windows_in_force",
        "maintenance_windows",
        ["team_id"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    _wall()


def _wall() -> None:
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON maintenance_windows TO {ROLE}")
    op.execute("ALTER TABLE maintenance_windows ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY wall ON maintenance_windows"
        f" USING (current_user <> '{ROLE}' OR team_id = ANY ({_TEAMS}))"
    )


def downgrade() -> None:
    op.drop_table("maintenance_windows")
