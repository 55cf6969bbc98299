"""The work that every peer has: one SMTP conversation, by the standard library."""

from __future__ import annotations

import os
import smtplib

MAIL = """From: alerts@example.org\r
To: oncall@example.org\r
Subject: The disk of db-1 is full\r
X-Job: {job}\r
\r
The disk of db-1 is full: /var is at 97 %.\r
"""


def send(job: str) -> None:
    """Mail about this job."""
    # The name is given, because smtplib would look one up in the DNS for each mail.
    with smtplib.SMTP("127.0.0.1", int(os.environ["PEER_SMTP_PORT"]), local_hostname="localhost") as smtp:
        smtp.sendmail("alerts@example.org", ["oncall@example.org"], MAIL.format(job=job).encode())
