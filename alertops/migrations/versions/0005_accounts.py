"""Login sessions; counts of what was tried; history without foreign keys to accounts.

Revision: 0005
Follows: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Who did what stays told when the account is deleted; and deleting it locks no executions.
_HISTORY = (
    ("executions", "acknowledged_by", "ix_executions_acknowledged_by"),
    ("timeline", "actor_id", "ix_timeline_actor_id"),
    ("revisions", "author_id", "ix_revisions_author_id"),
)


def upgrade() -> None:
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("family_hash", sa.LargeBinary(), nullable=False),
        sa.Column("current_hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=True),
        sa.Column("successor_nonce", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "refreshed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", postgresql.INET(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.CheckConstraint(
            "octet_length(family_hash) = 32 AND octet_length(current_hash) = 32",
            name=op.f("ck_login_sessions_hashes"),
        ),
        sa.CheckConstraint(
            "(previous_hash IS NULL) = (successor_nonce IS NULL)", name=op.f("ck_login_sessions_previous")
        ),
        sa.CheckConstraint(
            "char_length(user_agent) BETWEEN 1 AND 200", name=op.f("ck_login_sessions_user_agent_length")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_login_sessions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
        sa.UniqueConstraint("family_hash", name=op.f("uq_login_sessions_family_hash")),
    )
    op.create_index(op.f("ix_login_sessions_expires_at"), "login_sessions", ["expires_at"], unique=False)
    op.create_index(op.f("ix_login_sessions_user_id"), "login_sessions", ["user_id"], unique=False)
    op.create_table(
        "throttles",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("clear_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.create_index(op.f("ix_throttles_clear_at"), "throttles", ["clear_at"], unique=False)
    for table, column, index in _HISTORY:
        op.drop_constraint(op.f(f"fk_{table}_{column}_users"), table, type_="foreignkey")
        op.drop_index(index, table_name=table)


def downgrade() -> None:
    for table, column, index in _HISTORY:
        # Ids of accounts that are gone have no place under the foreign key that comes back.
        op.execute(
            f"UPDATE {table} SET {column} = NULL"  # noqa: S608  names of our own
            f" WHERE NOT EXISTS (SELECT FROM users WHERE users.id = {table}.{column})"
        )
        op.create_index(index, table, [column], unique=False)
        op.create_foreign_key(
            op.f(f"fk_{table}_{column}_users"), table, "users", [column], ["id"], ondelete="SET NULL"
        )
    op.drop_table("throttles")
    op.drop_table("login_sessions")
