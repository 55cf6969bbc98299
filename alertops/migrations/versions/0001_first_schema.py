"""The first schema: teams and people, flows and revisions, executions, steps, attempts, timeline.

Revision: 0001
Follows:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_teams_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 254", name=op.f("ck_users_email_length")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_users_name_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email_lower", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "flows",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), server_default="", nullable=False),
        sa.Column("repeat", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "char_length(description) BETWEEN 0 AND 2000", name=op.f("ck_flows_description_length")
        ),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_flows_name_length")),
        sa.CheckConstraint("repeat BETWEEN 0 AND 9", name=op.f("ck_flows_repeat")),
        sa.CheckConstraint("revision_number >= 1", name=op.f("ck_flows_revision_number")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_flows_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flows")),
    )
    op.create_index(op.f("ix_flows_team_id"), "flows", ["team_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'admin', 'member', 'viewer')", name=op.f("ck_memberships_role")
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_memberships_team_id_teams"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("team_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "nodes",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("recipient", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("delay_seconds", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("backoff_seconds", sa.Integer(), nullable=False),
        sa.Column("backoff_factor", sa.Double(), nullable=False),
        sa.Column("max_backoff_seconds", sa.Integer(), nullable=False),
        sa.Column("on_failure", sa.String(), nullable=False),
        sa.Column("on_unknown", sa.String(), nullable=False),
        sa.CheckConstraint("on_failure IN ('escalate', 'wait')", name=op.f("ck_nodes_on_failure")),
        sa.CheckConstraint("on_unknown IN ('resend', 'hold')", name=op.f("ck_nodes_on_unknown")),
        sa.CheckConstraint("backoff_factor BETWEEN 1 AND 10.0", name=op.f("ck_nodes_backoff_factor")),
        sa.CheckConstraint("backoff_seconds BETWEEN 1 AND 86400", name=op.f("ck_nodes_backoff_seconds")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_nodes_name_length")),
        sa.CheckConstraint("delay_seconds BETWEEN 0 AND 2592000", name=op.f("ck_nodes_delay_seconds")),
        sa.CheckConstraint("max_attempts BETWEEN 1 AND 20", name=op.f("ck_nodes_max_attempts")),
        sa.CheckConstraint(
            "max_backoff_seconds BETWEEN 1 AND 86400", name=op.f("ck_nodes_max_backoff_seconds")
        ),
        sa.CheckConstraint("position BETWEEN 0 AND 49", name=op.f("ck_nodes_position")),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_nodes_flow_id_flows"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
        sa.UniqueConstraint(
            "flow_id",
            "position",
            deferrable=True,
            initially="DEFERRED",
            name=op.f("uq_nodes_flow_id_position"),
        ),
    )
    op.create_table(
        "revisions",
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_revisions_number")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_revisions_author_id_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flows.id"], name=op.f("fk_revisions_flow_id_flows"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("flow_id", "number", name=op.f("pk_revisions")),
    )
    op.create_index(op.f("ix_revisions_author_id"), "revisions", ["author_id"], unique=False)
    op.create_table(
        "executions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("dedup_key", sa.String(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("alert_count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("anchor_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "severity IN ('critical', 'error', 'warning', 'info')", name=op.f("ck_executions_severity")
        ),
        sa.CheckConstraint(
            "status IN ('running', 'acknowledged', 'snoozed', 'exhausted', 'resolved', 'cancelled')",
            name=op.f("ck_executions_status"),
        ),
        sa.CheckConstraint(
            "char_length(dedup_key) BETWEEN 1 AND 255", name=op.f("ck_executions_dedup_key_length")
        ),
        sa.CheckConstraint(
            "char_length(summary) BETWEEN 1 AND 1024", name=op.f("ck_executions_summary_length")
        ),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"],
            ["users.id"],
            name=op.f("fk_executions_acknowledged_by_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["flow_id", "revision_number"],
            ["revisions.flow_id", "revisions.number"],
            name=op.f("fk_executions_flow_id_revision_number_revisions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_executions_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
    )
    op.create_index("ix_executions_acknowledged_by", "executions", ["acknowledged_by"], unique=False)
    op.create_index("ix_executions_flow_revision", "executions", ["flow_id", "revision_number"], unique=False)
    op.create_index("ix_executions_team_created", "executions", ["team_id", "created_at", "id"], unique=False)
    op.create_index(
        "uq_executions_open_dedup_key",
        "executions",
        ["flow_id", "dedup_key"],
        unique=True,
        postgresql_where=sa.text(
            "dedup_key IS NOT NULL AND status IN ('running', 'acknowledged', 'snoozed')"
        ),
    )
    op.create_table(
        "steps",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("node_index", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovery_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("(status = 'fired') = (fired_at IS NOT NULL)", name=op.f("ck_steps_fired_at")),
        sa.CheckConstraint("status IN ('waiting', 'fired', 'cancelled')", name=op.f("ck_steps_status")),
        sa.CheckConstraint("fired_at >= due_at", name=op.f("ck_steps_never_early")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_steps_number")),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_steps_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("execution_id", "number", name=op.f("pk_steps")),
    )
    op.create_index(
        "ix_steps_never_dispatched",
        "steps",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting' AND dispatched_at IS NULL"),
    )
    op.create_index(
        "ix_steps_waiting_due_at",
        "steps",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "uq_steps_one_waiting",
        "steps",
        ["execution_id"],
        unique=True,
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_table(
        "timeline",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("step_number", sa.Integer(), nullable=True),
        sa.Column("target_number", sa.Integer(), nullable=True),
        sa.Column("attempt_number", sa.Integer(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["users.id"], name=op.f("fk_timeline_actor_id_users"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_timeline_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline")),
    )
    op.create_index(op.f("ix_timeline_actor_id"), "timeline", ["actor_id"], unique=False)
    op.create_index("ix_timeline_execution", "timeline", ["execution_id", "id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("step_number", sa.Integer(), nullable=False),
        sa.Column("target_number", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claim_number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transmit_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("may_repeat", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovery_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "(status = 'sending') <= (lease_until IS NOT NULL)", name=op.f("ck_attempts_lease")
        ),
        sa.CheckConstraint(
            "(status IN ('scheduled', 'sending')) = (finished_at IS NULL)",
            name=op.f("ck_attempts_finished_at"),
        ),
        sa.CheckConstraint(
            "status IN ('scheduled', 'sending', 'delivered', 'failed', 'unknown', 'cancelled')",
            name=op.f("ck_attempts_status"),
        ),
        sa.ForeignKeyConstraint(
            ["execution_id", "step_number"],
            ["steps.execution_id", "steps.number"],
            name=op.f("fk_attempts_execution_id_step_number_steps"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "execution_id", "step_number", "target_number", "number", name=op.f("pk_attempts")
        ),
    )
    op.create_index(
        "ix_attempts_never_dispatched",
        "attempts",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status = 'scheduled' AND dispatched_at IS NULL"),
    )
    op.create_index(
        "ix_attempts_scheduled_due_at",
        "attempts",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_index(
        "ix_attempts_sending_lease",
        "attempts",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'sending'"),
    )
    op.create_index(
        "uq_attempts_one_unfinished",
        "attempts",
        ["execution_id", "step_number", "target_number"],
        unique=True,
        postgresql_where=sa.text("status IN ('scheduled', 'sending')"),
    )


def downgrade() -> None:
    op.drop_index(
        "uq_attempts_one_unfinished",
        table_name="attempts",
        postgresql_where=sa.text("status IN ('scheduled', 'sending')"),
    )
    op.drop_index(
        "ix_attempts_sending_lease", table_name="attempts", postgresql_where=sa.text("status = 'sending'")
    )
    op.drop_index(
        "ix_attempts_scheduled_due_at",
        table_name="attempts",
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.drop_index(
        "ix_attempts_never_dispatched",
        table_name="attempts",
        postgresql_where=sa.text("status = 'scheduled' AND dispatched_at IS NULL"),
    )
    op.drop_table("attempts")
    op.drop_index("ix_timeline_execution", table_name="timeline")
    op.drop_index(op.f("ix_timeline_actor_id"), table_name="timeline")
    op.drop_table("timeline")
    op.drop_index("uq_steps_one_waiting", table_name="steps", postgresql_where=sa.text("status = 'waiting'"))
    op.drop_index(
        "ix_steps_waiting_due_at", table_name="steps", postgresql_where=sa.text("status = 'waiting'")
    )
    op.drop_index(
        "ix_steps_never_dispatched",
        table_name="steps",
        postgresql_where=sa.text("status = 'waiting' AND dispatched_at IS NULL"),
    )
    op.drop_table("steps")
    op.drop_index(
        "uq_executions_open_dedup_key",
        table_name="executions",
        postgresql_where=sa.text(
            "dedup_key IS NOT NULL AND status IN ('running', 'acknowledged', 'snoozed')"
        ),
    )
    op.drop_index("ix_executions_team_created", table_name="executions")
    op.drop_index("ix_executions_flow_revision", table_name="executions")
    op.drop_index("ix_executions_acknowledged_by", table_name="executions")
    op.drop_table("executions")
    op.drop_index(op.f("ix_revisions_author_id"), table_name="revisions")
    op.drop_table("revisions")
    op.drop_table("nodes")
    op.drop_index(op.f("ix_memberships_user_id"), table_name="memberships")
    op.drop_table("memberships")
    op.drop_index(op.f("ix_flows_team_id"), table_name="flows")
    op.drop_table("flows")
    op.drop_index("uq_users_email_lower", table_name="users")
    op.drop_table("users")
    op.drop_table("teams")
