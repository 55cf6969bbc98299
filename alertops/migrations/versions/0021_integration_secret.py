"""Integrations whose notifications are signed.

Revision: 0021
Follows: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("integrations", sa.Column("sealed", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("integrations", "sealed")
