"""Which lease a claim has: its number alone may be given twice when the database crashes.

Revision: 0015
Follows: 0014

Workers of the release before leave the column as it is, and fence by the number alone, as they always did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("lease_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("attempts", "lease_id")
