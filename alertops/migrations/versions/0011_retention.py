"""What is over is found by when it ended, a team's executions by their state; old audit entries can go.

Revision: 0011
Follows: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# A row at a time, since it looks at each entry's age. What is younger than a year is deleted by nobody.
_KEEP_A_YEAR = """
    CREATE FUNCTION keep_a_year_of_the_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.at < clock_timestamp() - interval '365 days' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit log is append-only, and a year of it is kept'
            USING ERRCODE = 'insufficient_privilege';
    END
    $$;
    DROP TRIGGER append_only ON audit_log;
    CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_the_audit_log();
    CREATE TRIGGER kept_a_year BEFORE DELETE ON audit_log
        FOR EACH ROW EXECUTE FUNCTION keep_a_year_of_the_audit_log();
"""
_KEEP_FOR_EVER = """
    DROP TRIGGER kept_a_year ON audit_log;
    DROP TRIGGER append_only ON audit_log;
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_the_audit_log();
    DROP FUNCTION keep_a_year_of_the_audit_log();
"""


def upgrade() -> None:
    _executions()
    _what_else_is_over()
    op.execute(_KEEP_A_YEAR)


def _executions() -> None:
    """Nothing asks by flow and revision; only deleting a flow would, and flows are archived."""
    op.create_index(
        "ix_executions_ended",
        "executions",
        ["ended_at", "id"],
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index("ix_executions_team_status", "executions", ["team_id", "status", "created_at", "id"])
    op.drop_index("ix_executions_flow_revision", table_name="executions")


def _what_else_is_over() -> None:
    op.create_index(
        "ix_mail_tokens_outsider_created",
        "mail_tokens",
        ["created_at", "hash"],
        postgresql_where=sa.text("outsider_id IS NOT NULL"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at", "id"])


def downgrade() -> None:
    op.execute(_KEEP_FOR_EVER)
    op.drop_index("ix_audit_log_at", table_name="audit_log")
    op.drop_index("ix_mail_tokens_outsider_created", table_name="mail_tokens")
    op.create_index("ix_executions_flow_revision", "executions", ["flow_id", "revision_number"])
    op.drop_index("ix_executions_team_status", table_name="executions")
    op.drop_index("ix_executions_ended", table_name="executions")
