"""A past for a database: any number of executions that are over, written as fast as Postgres takes them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

# Of twenty: most are resolved, as alerts are. Each was told to one address, which took the mail.
STATUSES = "(ARRAY['cancelled', 'exhausted'] || array_fill('resolved'::text, ARRAY[18]))"

_PAST = f"""
    CREATE TEMPORARY TABLE past ON COMMIT DROP AS
    SELECT gen_random_uuid() AS id, {STATUSES}[1 + i % 20] AS status,
        now() - :days * interval '1 day' * (1 - i::float / :count) - interval '1 day' AS at, i
    FROM generate_series(1, :count) AS i
"""

_ROWS = (
    """
    INSERT INTO executions (id, team_id, flow_id, revision_number, status, summary, severity, dedup_key,
        details, anchor_at, created_at, acknowledged_at, ended_at)
    SELECT id, :team, :flow, 1, status, 'Disk is full on db' || i, 'error', 'disk-' || i % 1000,
        '{"host": "db1", "mount": "/var"}', at, at, at + interval '2 min', at + interval '9 min'
    FROM past ORDER BY i
    """,
    """
    INSERT INTO steps (execution_id, number, round, node_index, node_id, node_name, revision_number, status,
        planned_at, due_at, fired_at, created_at, dispatched_at)
    SELECT id, 1, 1, 0, 'n', 'first', 1, 'fired', at, at, at, at, at FROM past ORDER BY i
    """,
    """
    INSERT INTO attempts (execution_id, step_number, target_number, number, channel, address, status, due_at,
        claim_number, lease_until, transmit_at, detail, created_at, finished_at, dispatched_at)
    SELECT id, 1, 1, 1, 'email', 'first@example.com', 'delivered', at, 1, at, at, '250 taken', at, at, at
    FROM past ORDER BY i
    """,
    """
    INSERT INTO timers (execution_id, number, kind, status, due_at, created_at)
    SELECT id, 1, 'ack_timeout', 'cancelled', at, at FROM past WHERE i % 10 = 0 ORDER BY i
    """,
    """
    INSERT INTO timeline (execution_id, at, event, step_number, target_number, attempt_number, detail)
    SELECT id, at, event, step, attempt, attempt, '{"came_from": "running"}'
    FROM past, (VALUES ('started', NULL, NULL), ('step_fired', 1, NULL), ('attempt_delivered', 1, 1),
        ('acknowledged', NULL, NULL), ('resolved', NULL, NULL)) AS told (event, step, attempt)
    ORDER BY i
    """,
    """
    INSERT INTO event_deliveries (subscription_id, execution_id, position, flow_id, execution_status, status,
        tries, due_at, claim_number, detail, created_at, finished_at, dispatched_at)
    SELECT :team, id, i, :flow, status, 'delivered', 1, at, 1, '200 OK', at, at, at FROM past ORDER BY i
    """,
    """
    INSERT INTO grouped_alerts (execution_id, flow_id, dedup_key, summary, severity, alert_count, first_at)
    SELECT id, :flow, 'disk-' || i, 'Disk is full on db' || i, 'error', 1, at FROM past ORDER BY i
    """,
    """
    WITH outsider AS (
        INSERT INTO outsiders (team_id, address) VALUES (:team, 'outside@example.com')
        ON CONFLICT (team_id, lower(address)) DO UPDATE SET address = excluded.address RETURNING id
    )
    INSERT INTO mail_tokens (hash, outsider_id, created_at)
    SELECT sha256(past.id::text::bytea), outsider.id, at FROM past, outsider ORDER BY i
    """,
    """
    INSERT INTO letters (kind, address, status, due_at, expires_at, created_at, finished_at, dispatched_at)
    SELECT 'reset_password', 'a@example.com', 'delivered', at, at + interval '1 hour', at, at, at
    FROM past ORDER BY i
    """,
    """
    INSERT INTO audit_log (team_id, at, actor_kind, actor_id, action, subject, subject_id)
    SELECT :team, at, 'user', :team, 'flow.edited', 'flow', :flow FROM past ORDER BY i
    """,
)


def write_history(connection: Connection, team: UUID, flow: UUID, count: int, *, days: int = 90) -> None:
    """So many executions of the flow, spread over as many days and over since yesterday; commits.

    What refers to what is not checked: the rows are right as they stand, and it is most of the time.
    """
    names = {"team": team, "flow": flow, "count": count, "days": days}
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    for statement in (_PAST, *_ROWS):
        wanted = {name: value for name, value in names.items() if f":{name}" in statement}
        connection.execute(text(statement), wanted)
    connection.commit()
