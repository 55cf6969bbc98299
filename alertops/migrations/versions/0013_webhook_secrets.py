"""Secrets that sign webhooks.

Revision: 0013
Follows: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
_TEAMS = "(SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[]"
_OF_TEAM = f"team_id = ANY ({_TEAMS})"


def upgrade() -> None:
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_webhook_secrets_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
    )
    op.create_index("ix_webhook_secrets_team_created", "webhook_secrets", ["team_id", "created_at", "id"])
    op.execute(f"GRANT SELECT, INSERT, DELETE ON webhook_secrets TO {ROLE}")
    op.execute("ALTER TABLE webhook_secrets ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY wall ON webhook_secrets USING (current_user <> '{ROLE}' OR {_OF_TEAM})")


def downgrade() -> None:
    op.drop_table("webhook_secrets")
