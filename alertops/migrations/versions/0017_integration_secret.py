"""Integrations whose notifications are signed.

Revision: 0017
Follows: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("integrations", sa.Column("sealed", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("integrations", "sealed")
