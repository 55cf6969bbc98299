"""Durable counters of recovery, and an index of the executions that are open, for /metrics.

Revision: 0003
Follows: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OPEN = sa.text("status IN ('running', 'acknowledged', 'snoozed')")


def upgrade() -> None:
    op.create_table(
        "recovery_totals",
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reason", name=op.f("pk_recovery_totals")),
    )
    for name in ("runs", "epochs_begun"):
        op.add_column("broker_epoch", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("ix_executions_open_status", "executions", ["status"], postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_index("ix_executions_open_status", table_name="executions", postgresql_where=_OPEN)
    for name in ("epochs_begun", "runs"):
        op.drop_column("broker_epoch", name)
    op.drop_table("recovery_totals")
