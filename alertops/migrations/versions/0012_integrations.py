"""Integrations: monitoring systems that raise and end alerts; and the changes that they tell of.

Revision: 0012
Follows: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
SEEN = "team_id = ANY ((SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[])"
MOMENT = sa.DateTime(timezone=True)
UNRESOLVED = "status IN ('running', 'acknowledged', 'snoozed', 'exhausted')"


def upgrade() -> None:
    _integrations()
    _changes()
    _executions()
    for table, privileges in (("integrations", "SELECT, INSERT, UPDATE"), ("changes", "SELECT, INSERT")):
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY wall ON {table} USING (current_user <> '{ROLE}' OR {SEEN})")


def _integrations() -> None:
    kinds = "'pagerduty', 'alertmanager', 'grafana', 'generic', 'cloudevents'"
    op.create_table(
        "integrations",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("rules", JSONB(), server_default="[]", nullable=False),
        sa.Column("mapping", JSONB(), nullable=True),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("old_hash", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", MOMENT, nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"kind IN ({kinds})", name=op.f("ck_integrations_kind")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_integrations_name_length")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_integrations_hash")),
        sa.CheckConstraint("octet_length(old_hash) = 32", name=op.f("ck_integrations_old_hash")),
        sa.CheckConstraint(
            "(old_hash IS NULL) = (old_until IS NULL)", name=op.f("ck_integrations_old_until")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(rules) = 'array' AND jsonb_array_length(rules) <= 50",
            name=op.f("ck_integrations_rules"),
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_integrations_team_id_teams"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_integrations_flow_id_flows"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrations")),
        sa.UniqueConstraint("hash", name=op.f("uq_integrations_hash")),
        sa.UniqueConstraint("old_hash", name=op.f("uq_integrations_old_hash")),
    )
    op.create_index(op.f("ix_integrations_flow_id"), "integrations", ["flow_id"])
    op.create_index("ix_integrations_team_created", "integrations", ["team_id", "created_at", "id"])


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("details", JSONB(), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("char_length(summary) BETWEEN 1 AND 1024", name=op.f("ck_changes_summary_length")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_changes_team_id_teams"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["integration_id"],
            ["integrations.id"],
            name=op.f("fk_changes_integration_id_integrations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_integration_id"), "changes", ["integration_id"])
    op.create_index("ix_changes_team_created", "changes", ["team_id", "created_at", "id"])
    op.create_index("ix_changes_created_at", "changes", ["created_at", "id"])


def _executions() -> None:
    op.add_column("executions", sa.Column("integration_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_executions_integration_unresolved",
        "executions",
        ["integration_id", "dedup_key"],
        postgresql_where=sa.text(f"integration_id IS NOT NULL AND {UNRESOLVED}"),
    )


def downgrade() -> None:
    op.drop_index("ix_executions_integration_unresolved", "executions")
    op.drop_column("executions", "integration_id")
    op.drop_table("changes")
    op.drop_table("integrations")
