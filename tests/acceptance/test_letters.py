"""Mails with the whole fleet: from the API, through the broker and a worker, to a mailbox and back."""

from __future__ import annotations

import re

import requests

from deploy.local.client import Client
from deploy.local.fleet import Fleet
from deploy.local.smtp_sink import SmtpSink
from tests.acceptance.alerts import node, until


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


def test_who_is_told_answers_with_the_link_in_the_mail(client: Client, team_id: str, sink: SmtpSink) -> None:
    flow = client.create_flow(
        team_id, "On call", [node("on-call@example.org", 0), node("next@example.org", 600)]
    )
    execution = client.trigger(flow, "Disk is full")
    until(lambda: bool(sink.alerts), 20, "a mail")
    link = re.search(r"http://\S+/a/\S+", sink.alerts[0].message.get_content())
    assert link is not None
    page = requests.get(link[0], timeout=10)
    assert "Nobody has answered yet." in page.text
    assert client.execution(execution)["status"] == "running"
    answered = requests.post(link[0], data={"answer": "acknowledge"}, timeout=10)
    # It has followed the redirection, as a browser does.
    assert (answered.status_code, answered.url) == (200, f"{link[0]}?answered")
    assert client.execution(execution)["status"] == "acknowledged"
