"""What has happened, added up: for histograms of lateness and counters of outcomes on /metrics.

Revision: 0020
Follows: 0019

What was told before this migration is not counted: it would look like a burst of today.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"


def upgrade() -> None:
    op.create_table(
        "event_totals",
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("late_up_to", sa.Float(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("event", "channel", "late_up_to", name=op.f("pk_event_totals")),
    )
    op.create_table(
        "events_counted",
        sa.Column("id", sa.SmallInteger(), server_default="1", autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in _NUMBERS),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in ("as_of", "next_as_of")),
        sa.CheckConstraint("id = 1", name=op.f("ck_events_counted_one_row")),
        sa.CheckConstraint("next_up_to >= up_to", name=op.f("ck_events_counted_forward")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events_counted")),
    )
    op.execute(
        "INSERT INTO events_counted (up_to, next_up_to)"
        " SELECT newest, newest FROM (SELECT coalesce(max(id), 0) AS newest FROM timeline) AS _"
    )
    op.create_table(
        "dispatch_failures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatch_failures")),
    )
    op.execute(f"GRANT INSERT ON dispatch_failures TO {ROLE}")


_NUMBERS = ("up_to", "next_up_to", "next_after")


def downgrade() -> None:
    for table in ("dispatch_failures", "events_counted", "event_totals"):
        op.drop_table(table)
