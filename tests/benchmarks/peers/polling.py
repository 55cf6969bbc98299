"""A loop that looks every 5 s for what is due: what one writes first, and what GoAlert's engine is.

Each of its threads claims one row at a time, sends, and marks it as sent.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import psycopg2

from tests.benchmarks.peers.mail import send

POLL_SECONDS = 5.0

TABLE = """
    CREATE TABLE jobs (
        id uuid PRIMARY KEY, due_at timestamptz NOT NULL, claimed_at timestamptz, sent_at timestamptz
    );
    CREATE INDEX ON jobs (due_at) WHERE claimed_at IS NULL;
"""

CLAIM = """
    UPDATE jobs SET claimed_at = now() WHERE id = (
        SELECT id FROM jobs WHERE claimed_at IS NULL AND due_at <= now()
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id
"""


def main(threads: int) -> None:
    for _ in range(threads):
        threading.Thread(target=work).start()


def work() -> None:
    connection = psycopg2.connect(os.environ["PEER_DATABASE_URL"])
    connection.autocommit = True
    cursor = connection.cursor()
    while True:
        cursor.execute(CLAIM)
        found = cursor.fetchone()
        if found is None:
            time.sleep(POLL_SECONDS)
            continue
        send(found[0])
        cursor.execute("UPDATE jobs SET sent_at = now() WHERE id = %s", found)


if __name__ == "__main__":
    main(int(sys.argv[1]))
