"""Flows can be edited and archived: a revision freezes the name and the description too.

Revision: 0004
Follows: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("flows", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    # Until now a flow had one revision, and the name that it still has.
    op.execute(
        "UPDATE revisions SET definition = definition"
        " || jsonb_build_object('name', flows.name, 'description', flows.description)"
        " FROM flows WHERE flows.id = revisions.flow_id"
    )


def downgrade() -> None:
    op.execute("UPDATE revisions SET definition = definition - 'name' - 'description'")
    op.drop_column("flows", "archived_at")
