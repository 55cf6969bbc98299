"""Letters with the whole fleet: from the API, through the broker and a worker, to a mailbox and back."""

from __future__ import annotations

import re

from deploy.local.client import Client
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import SmtpSink
from tests.acceptance.alerts import until


def _token(sink: SmtpSink, address: str, subject: str) -> str:
    def mails() -> list[str]:
        return [
            mail.message.get_content()
            for mail in sink.messages
            if mail.rcpt_to == (address,) and str(mail.message["Subject"]).startswith(subject)
        ]

    until(lambda: bool(mails()), 20, f"a mail '{subject}' to {address}")
    (content,) = mails()
    found = re.search(r"mlt_[\w-]+", content, re.ASCII)
    assert found is not None
    return found[0]


def test_who_accepts_before_having_an_account_is_a_member_once_they_have_proved_their_address(
    client: Client, team_id: str, fleet: Fleet, sink: SmtpSink
) -> None:
    client.invite(team_id, "newcomer@example.org", "viewer")
    newcomer = Client(fleet.api_url)
    token = _token(sink, "newcomer@example.org", "You are invited")
    assert newcomer.accept_invitation(token)["status"] == "accepted"
    newcomer.sign_in("Newcomer", "newcomer@example.org", "a long password")
    assert newcomer.memberships() == []
    newcomer.verify_address(_token(sink, "newcomer@example.org", "Please confirm"))
    assert [(one["team_id"], one["role"]) for one in newcomer.memberships()] == [(team_id, "viewer")]
