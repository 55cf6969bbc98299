"""Somebody is invited, says yes before having an account, opens one, and is a member."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from deploy.demo.scenario import NEWCOMER
from deploy.local.client import Client
from deploy.local.errors import LocalStackError
from deploy.local.smtp_sink import Received, SmtpSink

MAIL_SECONDS = 30.0


def join(owner: Client, team_id: str, base_url: str, sink: SmtpSink, tell: Callable[[str], None]) -> None:
    """Let it happen, and make sure of each step; `owner` is known to the API as who may invite."""
    owner.invite(team_id, NEWCOMER, "member")
    tell(f"invited {NEWCOMER}, who has no account")
    newcomer = Client(base_url)
    answer = newcomer.accept_invitation(_token(_mail(sink, "You are invited")))
    _require(answer["status"] == "accepted", "the yes is remembered")
    tell("the invitation was accepted with the token from the mail: there is still no account")
    newcomer.sign_in("Newcomer", NEWCOMER, secrets.token_urlsafe(16))
    _require(newcomer.memberships() == [], "the address is not proved yet")
    newcomer.verify_address(_token(_mail(sink, "Please confirm")))
    roles = [(one["team_id"], one["role"]) for one in newcomer.memberships()]
    _require(roles == [(team_id, "member")], "the yes is put into effect")
    tell("an account was opened and proved its address: its owner is a member of the team by that")


def _mail(sink: SmtpSink, subject: str) -> Received:
    """The mail to the newcomer whose subject begins like this."""
    found: list[Received] = []

    def arrived() -> bool:
        found[:] = [
            mail
            for mail in sink.messages
            if mail.rcpt_to == (NEWCOMER,) and str(mail.message["Subject"]).startswith(subject)
        ]
        return bool(found)

    try:
        sink.wait_until(arrived, MAIL_SECONDS)
    except TimeoutError as error:
        raise LocalStackError(f"No mail '{subject} ...' within {MAIL_SECONDS:g} s.") from error
    return found[0]


def _token(mail: Received) -> str:
    match = re.search(r"mlt_[\w-]+", mail.message.get_content(), re.ASCII)
    if match is None:
        raise LocalStackError("A mail that should bring a token has none.")
    return match[0]


def _require(true: bool, what: str) -> None:
    if not true:
        raise LocalStackError(f"It should be so by now that {what}.")
