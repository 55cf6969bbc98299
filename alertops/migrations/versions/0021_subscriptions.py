"""Subscriptions, and what is to be delivered to them: an outbox that the timeline fills by itself.

Revision: 0021
Follows: 0020

The trigger writes a delivery for each entry that a subscription of the team wants, in the transaction of the
entry, whoever writes it. The ids come to the writer in a message of the level INFO, which Postgres always
sends to its client, and does not log; they wake somebody with them after the commit
(`alertops.services.deliveries.announced`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# The release before tells its timelines as it always did; the trigger writes into the new tables alone, and
# what it writes there is found by the new workers.
EXPANDS = "the trigger writes into new tables, and nothing while there are no subscriptions"

ROLE = "alertops_walled"
_TEAMS = "(SELECT nullif(current_setting('alertops.team_ids', true), '')::uuid[])::uuid[]"
_WALLS = {
    "subscriptions": ("SELECT, INSERT, UPDATE, DELETE", f"team_id = ANY ({_TEAMS})"),
    "event_deliveries": (
        "SELECT, INSERT, UPDATE",
        "EXISTS (SELECT FROM executions parent WHERE parent.id = execution_id)",
    ),
}
_MOMENT = sa.DateTime(timezone=True)
_UNFINISHED = "status IN ('scheduled', 'sending')"
_STATES = "'scheduled', 'sending', 'delivered', 'failed', 'unknown', 'cancelled'"
_EXECUTION_STATES = "'running', 'acknowledged', 'snoozed', 'exhausted', 'resolved', 'cancelled'"

# An entry that is named like a state is of the transition to it, whichever of the two is written first.
_WRITE = f"""
    CREATE FUNCTION write_event_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        made text;
    BEGIN
        WITH written AS (
            INSERT INTO event_deliveries
                (subscription_id, execution_id, position, flow_id, execution_status)
            SELECT s.id, told.execution_id, told.id, e.flow_id,
                CASE WHEN told.event IN ({_EXECUTION_STATES}) THEN told.event
                     WHEN told.event = 'resumed' THEN 'running'
                     ELSE e.status END
            FROM told
            JOIN LATERAL (
                SELECT team_id, flow_id, status FROM executions WHERE id = told.execution_id OFFSET 0
            ) e ON true
            JOIN subscriptions s ON s.team_id = e.team_id
            WHERE s.enabled AND (s.events IS NULL OR told.event = ANY (s.events))
            RETURNING id
        )
        SELECT string_agg(id::text, ' ') INTO made FROM written;
        IF made IS NOT NULL THEN
            RAISE INFO 'alertops.event_deliveries %', made;
        END IF;
        RETURN NULL;
    END
    $$;
    CREATE TRIGGER write_event_deliveries AFTER INSERT ON timeline
        REFERENCING NEW TABLE AS told FOR EACH STATEMENT EXECUTE FUNCTION write_event_deliveries();
"""  # noqa: S608 # nosec B608  words of our own


def upgrade() -> None:
    _subscriptions()
    _event_deliveries()
    for table, (privileges, visible) in _WALLS.items():
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY wall ON {table} USING (current_user <> '{ROLE}' OR {visible})")
    op.execute(_WRITE)


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.ARRAY(sa.String()), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("disabled_because", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("last_success_at", _MOMENT, nullable=True),
        sa.Column("last_failure_at", _MOMENT, nullable=True),
        sa.Column("last_failure", sa.String(), nullable=True),
        sa.Column("given_up", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_subscriptions_name_length")),
        sa.CheckConstraint("cardinality(events) >= 1", name=op.f("ck_subscriptions_events")),
        sa.CheckConstraint(
            "enabled <= (disabled_because IS NULL)", name=op.f("ck_subscriptions_disabled_because")
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_subscriptions_team_id_teams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_index("ix_subscriptions_team_created", "subscriptions", ["team_id", "created_at", "id"])


def _event_deliveries() -> None:
    op.create_table(
        "event_deliveries",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("execution_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("execution_status", sa.String(), nullable=False),
        sa.Column("status", sa.String(), server_default="scheduled", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", _MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("claim_number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_id", sa.Uuid(), nullable=True),
        sa.Column("lease_until", _MOMENT, nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("created_at", _MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.Column("dispatched_at", _MOMENT, nullable=True),
        sa.Column("recovery_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            f"execution_status IN ({_EXECUTION_STATES})", name=op.f("ck_event_deliveries_execution_status")
        ),
        sa.CheckConstraint(f"status IN ({_STATES})", name=op.f("ck_event_deliveries_status")),
        sa.CheckConstraint(
            "(status = 'sending') <= (lease_until IS NOT NULL)", name=op.f("ck_event_deliveries_lease")
        ),
        sa.CheckConstraint(
            f"({_UNFINISHED}) = (finished_at IS NULL)", name=op.f("ck_event_deliveries_finished_at")
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["executions.id"],
            name=op.f("fk_event_deliveries_execution_id_executions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_deliveries")),
    )
    line = ["execution_id", "subscription_id", "position"]
    _index("uq_event_deliveries_entry", line, unique=True)
    _index("ix_event_deliveries_line", line, where=_UNFINISHED)
    _index("ix_event_deliveries_finished", ["finished_at", "id"], where="finished_at IS NOT NULL")
    _index("ix_event_deliveries_failed", ["finished_at"], where="status = 'failed'")
    _index("ix_event_deliveries_scheduled_due_at", ["due_at"], where="status = 'scheduled'")
    _index("ix_event_deliveries_sending_lease", ["lease_until"], where="status = 'sending'")
    _index(
        "ix_event_deliveries_never_dispatched",
        ["created_at"],
        where="status = 'scheduled' AND dispatched_at IS NULL",
    )


def _index(name: str, columns: list[str], *, unique: bool = False, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, "event_deliveries", columns, unique=unique, postgresql_where=condition)


def downgrade() -> None:
    op.execute("DROP TRIGGER write_event_deliveries ON timeline")
    op.execute("DROP FUNCTION write_event_deliveries()")
    op.drop_table("event_deliveries")
    op.drop_table("subscriptions")
