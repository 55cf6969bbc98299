"""Heartbeats: jobs whose silence is an alert.

Revision: 0019
Follows: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
SEEN = "team_id = ANY ((SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[])"
MOMENT = sa.DateTime(timezone=True)
CHECKS = {
    "name_length": "char_length(name) BETWEEN 1 AND 100",
    "severity": "severity IN ('critical', 'error', 'warning', 'info')",
    "status": "status IN ('new', 'up', 'missing', 'paused')",
    "every_seconds": "every_seconds >= 1",
    "grace_seconds": "grace_seconds >= 1",
    "hash": "octet_length(hash) = 32",
    "old_hash": "octet_length(old_hash) = 32",
    "old_until": "(old_hash IS NULL) = (old_until IS NULL)",
    "due_at": "(status IN ('up', 'missing')) = (due_at IS NOT NULL)",
    "missed_at": "(status = 'missing') = (missed_at IS NOT NULL)",
    "never_early": "missed_at >= due_at",
    "wake_at": "(status = 'up') = (wake_at IS NOT NULL)",
    "wake_set_at": "(wake_at IS NULL) = (wake_set_at IS NULL)",
}


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("grace_seconds", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("resolve_on_ping", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("last_ping_at", MOMENT, nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("missed_at", MOMENT, nullable=True),
        sa.Column("execution_id", sa.Uuid(), nullable=True),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("old_hash", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", MOMENT, nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("wake_number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("wake_at", MOMENT, nullable=True),
        sa.Column("wake_set_at", MOMENT, nullable=True),
        sa.Column("dispatched_at", MOMENT, nullable=True),
        sa.Column("recovery_count", sa.Integer(), server_default="0", nullable=False),
        *(sa.CheckConstraint(holds, name=op.f(f"ck_heartbeats_{name}")) for name, holds in CHECKS.items()),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_heartbeats_team_id_teams"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_heartbeats_flow_id_flows"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heartbeats")),
        sa.UniqueConstraint("hash", name=op.f("uq_heartbeats_hash")),
        sa.UniqueConstraint("old_hash", name=op.f("uq_heartbeats_old_hash")),
    )
    _indexes()
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON heartbeats TO {ROLE}")
    op.execute("ALTER TABLE heartbeats ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY wall ON heartbeats USING (current_user <> '{ROLE}' OR {SEEN})")


def _indexes() -> None:
    op.create_index(op.f("ix_heartbeats_flow_id"), "heartbeats", ["flow_id"])
    op.create_index("ix_heartbeats_team_created", "heartbeats", ["team_id", "created_at", "id"])
    op.create_index(
        "ix_heartbeats_up_wake_at", "heartbeats", ["wake_at"], postgresql_where=sa.text("status = 'up'")
    )
    op.create_index(
        "ix_heartbeats_never_dispatched",
        "heartbeats",
        ["wake_set_at"],
        postgresql_where=sa.text("status = 'up' AND dispatched_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("heartbeats")
