"""What must be done once, whoever asks again, and what was answered.

Revision: 0018
Follows: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"


def upgrade() -> None:
    op.create_table(
        "request_keys",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("octet_length(id) = 32", name=op.f("ck_request_keys_id")),
        sa.CheckConstraint("octet_length(fingerprint) = 32", name=op.f("ck_request_keys_fingerprint")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_keys")),
    )
    op.create_index(op.f("ix_request_keys_created_at"), "request_keys", ["created_at"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON request_keys TO {ROLE}")


def downgrade() -> None:
    op.drop_table("request_keys")
