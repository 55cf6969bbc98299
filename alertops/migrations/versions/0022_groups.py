"""Alerts that share a group join one execution.

Revision: 0022
Follows: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Declared for whoever reads it next to the release before (docs/upgrading.md).
EXPANDS = "the checks are about columns that are new, and what the release before inserts has their defaults"

ROLE = "alertops_walled"
SEEN = "EXISTS (SELECT FROM executions parent WHERE parent.id = execution_id)"
MOMENT = sa.DateTime(timezone=True)
OPEN = "status IN ('running', 'acknowledged', 'snoozed')"


def upgrade() -> None:
    _flows()
    _executions()
    _alerts()
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON grouped_alerts TO {ROLE}")
    op.execute("ALTER TABLE grouped_alerts ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY wall ON grouped_alerts USING (current_user <> '{ROLE}' OR {SEEN})")


def _flows() -> None:
    op.add_column("flows", sa.Column("group_by", JSONB(), server_default="[]", nullable=False))
    op.add_column(
        "flows", sa.Column("group_window_seconds", sa.Integer(), server_default="300", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_flows_group_by"),
        "flows",
        "jsonb_typeof(group_by) = 'array' AND jsonb_array_length(group_by) <= 10",
    )
    op.create_check_constraint(
        op.f("ck_flows_group_window_seconds"), "flows", "group_window_seconds BETWEEN 10 AND 86400"
    )


def _executions() -> None:
    op.add_column("executions", sa.Column("group_key", sa.String(), nullable=True))
    op.add_column("executions", sa.Column("group_until", MOMENT, nullable=True))
    op.create_check_constraint(
        op.f("ck_executions_group_until"), "executions", "(group_key IS NULL) = (group_until IS NULL)"
    )
    op.create_index(
        "ix_executions_open_group",
        "executions",
        ["flow_id", "group_key"],
        postgresql_where=sa.text(f"group_key IS NOT NULL AND {OPEN}"),
    )


def _alerts() -> None:
    now = sa.func.clock_timestamp()
    op.create_table(
        "grouped_alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=True),
        sa.Column("dedup_key", sa.String(), nullable=True),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("alert_count", sa.Integer(), nullable=False),
        sa.Column("first_at", MOMENT, server_default=now, nullable=False),
        sa.Column("last_at", MOMENT, server_default=now, nullable=False),
        sa.Column("resolved_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "char_length(summary) BETWEEN 1 AND 1024", name=op.f("ck_grouped_alerts_summary_length")
        ),
        sa.CheckConstraint(
            "char_length(dedup_key) BETWEEN 1 AND 255", name=op.f("ck_grouped_alerts_dedup_key_length")
        ),
        sa.CheckConstraint(
            "severity IN ('critical', 'error', 'warning', 'info')", name=op.f("ck_grouped_alerts_severity")
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_grouped_alerts_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grouped_alerts")),
    )
    op.create_index("ix_grouped_alerts_execution", "grouped_alerts", ["execution_id", "id"])
    op.create_index(
        "uq_grouped_alerts_key",
        "grouped_alerts",
        ["execution_id", "dedup_key"],
        unique=True,
        postgresql_where=sa.text("dedup_key IS NOT NULL"),
    )
    op.create_index(
        "ix_grouped_alerts_unresolved",
        "grouped_alerts",
        ["dedup_key", "flow_id"],
        postgresql_where=sa.text("dedup_key IS NOT NULL AND resolved_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("grouped_alerts")
    op.drop_index("ix_executions_open_group", "executions")
    op.drop_constraint(op.f("ck_executions_group_until"), "executions")
    op.drop_column("executions", "group_until")
    op.drop_column("executions", "group_key")
    op.drop_constraint(op.f("ck_flows_group_window_seconds"), "flows")
    op.drop_constraint(op.f("ck_flows_group_by"), "flows")
    op.drop_column("flows", "group_window_seconds")
    op.drop_column("flows", "group_by")
