"""Executions come back, are snoozed, reassigned, rebased and replayed; timers; more of a retry policy.

Revision: 0009
Follows: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
SEEN = "EXISTS (SELECT FROM executions parent WHERE parent.id = execution_id)"
TIMEOUT_SECONDS = 90 * 24 * 3600
BUDGET_SECONDS = 7 * 24 * 3600


def upgrade() -> None:
    _flows()
    _executions()
    _steps()
    _timers()


def _flows() -> None:
    for column in ("ack_timeout_seconds", "resolve_after_seconds"):
        op.add_column("flows", sa.Column(column, sa.Integer(), nullable=True))
        op.create_check_constraint(
            op.f(f"ck_flows_{column}"), "flows", f"{column} BETWEEN 60 AND {TIMEOUT_SECONDS}"
        )
    op.add_column("nodes", sa.Column("jitter", sa.Float(), server_default="0.2", nullable=False))
    op.create_check_constraint(op.f("ck_nodes_jitter"), "nodes", "jitter BETWEEN 0 AND 1")
    op.add_column("nodes", sa.Column("budget_seconds", sa.Integer(), nullable=True))
    op.create_check_constraint(
        op.f("ck_nodes_budget_seconds"), "nodes", f"budget_seconds BETWEEN 1 AND {BUDGET_SECONDS}"
    )


def _executions() -> None:
    for column in ("not_before_at", "snoozed_until"):
        op.add_column("executions", sa.Column(column, sa.DateTime(timezone=True), nullable=True))
    op.add_column("executions", sa.Column("first_step", sa.Integer(), server_default="1", nullable=False))
    op.add_column("executions", sa.Column("definition", JSONB(), nullable=True))
    op.add_column("executions", sa.Column("replay_of", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_executions_replay_of_executions"),
        "executions",
        "executions",
        ["replay_of"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(
        "ix_executions_replay_of",
        "executions",
        ["replay_of"],
        postgresql_where=sa.text("replay_of IS NOT NULL"),
    )
    op.create_check_constraint(
        op.f("ck_executions_snoozed_until"),
        "executions",
        "(status = 'snoozed') = (snoozed_until IS NOT NULL)",
    )


def _steps() -> None:
    """A step names its node by itself, since an execution may move to a revision without it."""
    op.add_column("steps", sa.Column("node_id", sa.String(), nullable=True))
    op.add_column("steps", sa.Column("node_name", sa.String(), nullable=True))
    op.add_column("steps", sa.Column("revision_number", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE steps SET revision_number = executions.revision_number,"
        " node_id = revisions.definition #>> ARRAY['nodes', node_index::text, 'id'],"
        " node_name = revisions.definition #>> ARRAY['nodes', node_index::text, 'name']"
        " FROM executions JOIN revisions ON revisions.flow_id = executions.flow_id"
        " AND revisions.number = executions.revision_number"
        " WHERE executions.id = steps.execution_id"
    )
    op.alter_column("steps", "node_id", nullable=False)
    op.alter_column("steps", "node_name", nullable=False)


def _timers() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "timers",
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("fired_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.func.now(), nullable=False),
        sa.Column("dispatched_at", moment, nullable=True),
        sa.Column("recovery_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("kind IN ('ack_timeout', 'snooze', 'resolve')", name=op.f("ck_timers_kind")),
        sa.CheckConstraint("status IN ('waiting', 'fired', 'cancelled')", name=op.f("ck_timers_status")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_timers_number")),
        sa.CheckConstraint("(status = 'fired') = (fired_at IS NOT NULL)", name=op.f("ck_timers_fired_at")),
        sa.CheckConstraint("fired_at >= due_at", name=op.f("ck_timers_never_early")),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_timers_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("execution_id", "number", name=op.f("pk_timers")),
    )
    waiting = sa.text("status = 'waiting'")
    op.create_index(
        "uq_timers_one_waiting", "timers", ["execution_id", "kind"], unique=True, postgresql_where=waiting
    )
    op.create_index("ix_timers_waiting_due_at", "timers", ["due_at"], postgresql_where=waiting)
    op.create_index(
        "ix_timers_never_dispatched",
        "timers",
        ["created_at"],
        postgresql_where=sa.text("status = 'waiting' AND dispatched_at IS NULL"),
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON timers TO {ROLE}")
    op.execute("ALTER TABLE timers ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY wall ON timers USING (current_user <> '{ROLE}' OR {SEEN})")


def downgrade() -> None:
    op.drop_table("timers")
    for column in ("node_id", "node_name", "revision_number"):
        op.drop_column("steps", column)
    for column in ("not_before_at", "snoozed_until", "first_step", "definition", "replay_of"):
        op.drop_column("executions", column)
    for column in ("jitter", "budget_seconds"):
        op.drop_column("nodes", column)
    for column in ("ack_timeout_seconds", "resolve_after_seconds"):
        op.drop_column("flows", column)
