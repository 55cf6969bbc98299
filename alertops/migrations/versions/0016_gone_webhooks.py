"""URLs of webhooks that are gone.

Revision: 0016
Follows: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ROLE = "alertops_walled"
_TEAMS = "(SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[]"
_OF_TEAM = f"team_id = ANY ({_TEAMS})"


def upgrade() -> None:
    op.create_table(
        "gone_webhooks",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("url_hash", sa.LargeBinary(), nullable=False),
        sa.Column("shown_url", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(url_hash) = 32", name=op.f("ck_gone_webhooks_url_hash")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_gone_webhooks_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gone_webhooks")),
    )
    op.create_index("uq_gone_webhooks_team_url", "gone_webhooks", ["team_id", "url_hash"], unique=True)
    op.create_index("ix_gone_webhooks_team_created", "gone_webhooks", ["team_id", "created_at", "id"])
    op.execute(f"GRANT SELECT, INSERT, DELETE ON gone_webhooks TO {ROLE}")
    op.execute("ALTER TABLE gone_webhooks ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY wall ON gone_webhooks USING (current_user <> '{ROLE}' OR {_OF_TEAM})")


def downgrade() -> None:
    op.drop_table("gone_webhooks")
