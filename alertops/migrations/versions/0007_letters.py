"""Verified addresses, invitations, addresses outside a team, and the letters to all of them.

Revision: 0007
Follows: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('pending', 'accepted')) = (ended_at IS NULL)", name=op.f("ck_invitations_ended_at")
        ),
        sa.CheckConstraint("role IN ('admin', 'member', 'viewer')", name=op.f("ck_invitations_role")),
        sa.CheckConstraint(
            "status IN ('pending', 'accepted', 'joined', 'declined', 'revoked', 'expired')",
            name=op.f("ck_invitations_status"),
        ),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 254", name=op.f("ck_invitations_email_length")),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_invitations_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
    )
    op.create_index(
        "ix_invitations_open_email",
        "invitations",
        [sa.literal_column("lower(email)")],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'accepted')"),
    )
    op.create_index(
        "ix_invitations_team_created", "invitations", ["team_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "uq_invitations_open",
        "invitations",
        ["team_id", sa.literal_column("lower(email)")],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'accepted')"),
    )
    op.create_table(
        "outsiders",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "char_length(address) BETWEEN 3 AND 254", name=op.f("ck_outsiders_address_length")
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_outsiders_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outsiders")),
    )
    op.create_index("ix_outsiders_team_created", "outsiders", ["team_id", "created_at", "id"], unique=False)
    op.create_index(
        "uq_outsiders_address", "outsiders", ["team_id", sa.literal_column("lower(address)")], unique=True
    )
    op.create_table(
        "letters",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("invitation_id", sa.Uuid(), nullable=True),
        sa.Column("outsider_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claim_number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transmit_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("may_repeat", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovery_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "(status = 'sending') <= (lease_until IS NOT NULL)", name=op.f("ck_letters_lease")
        ),
        sa.CheckConstraint(
            "(status IN ('scheduled', 'sending')) = (finished_at IS NULL)",
            name=op.f("ck_letters_finished_at"),
        ),
        sa.CheckConstraint(
            "kind IN ('verify_address', 'address_taken', 'reset_password', 'invitation', 'confirm_outsider')",
            name=op.f("ck_letters_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('scheduled', 'sending', 'delivered', 'failed', 'unknown', 'cancelled')",
            name=op.f("ck_letters_status"),
        ),
        sa.CheckConstraint("char_length(address) BETWEEN 3 AND 254", name=op.f("ck_letters_address_length")),
        sa.ForeignKeyConstraint(
            ["invitation_id"],
            ["invitations.id"],
            name=op.f("fk_letters_invitation_id_invitations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["outsider_id"],
            ["outsiders.id"],
            name=op.f("fk_letters_outsider_id_outsiders"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_letters_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
    )
    op.create_index("ix_letters_expires_at", "letters", ["expires_at"], unique=False)
    op.create_index(
        "ix_letters_failed",
        "letters",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_index(op.f("ix_letters_invitation_id"), "letters", ["invitation_id"], unique=False)
    op.create_index(
        "ix_letters_never_dispatched",
        "letters",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status = 'scheduled' AND dispatched_at IS NULL"),
    )
    op.create_index(op.f("ix_letters_outsider_id"), "letters", ["outsider_id"], unique=False)
    op.create_index(
        "ix_letters_scheduled_due_at",
        "letters",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_index(
        "ix_letters_sending_lease",
        "letters",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'sending'"),
    )
    op.create_index(op.f("ix_letters_user_id"), "letters", ["user_id"], unique=False)
    op.create_table(
        "mail_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("letter_id", sa.Uuid(), nullable=True),
        sa.Column("outsider_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(letter_id, outsider_id) = 1", name=op.f("ck_mail_tokens_one_subject")
        ),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_mail_tokens_hash")),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["letters.id"], name=op.f("fk_mail_tokens_letter_id_letters"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["outsider_id"],
            ["outsiders.id"],
            name=op.f("fk_mail_tokens_outsider_id_outsiders"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_mail_tokens")),
    )
    op.create_index(op.f("ix_mail_tokens_letter_id"), "mail_tokens", ["letter_id"], unique=False)
    op.create_index(op.f("ix_mail_tokens_outsider_id"), "mail_tokens", ["outsider_id"], unique=False)
    op.add_column("attempts", sa.Column("outsider_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("attempts", "outsider_id")
    op.drop_table("mail_tokens")
    op.drop_table("letters")
    op.drop_table("outsiders")
    op.drop_table("invitations")
    op.drop_column("users", "email_verified_at")
