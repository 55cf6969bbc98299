"""What each kind of letter says, in words for somebody who has never heard of AlertOps.

The links only show something; what changes anything is a POST: programs that look at mails follow links.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from alertops.channels.letter import LetterText
from alertops.models.letter import LetterKind

_NOT_YOU = "If you do not know what this is about, you need not do anything."


@dataclass(frozen=True)
class LetterFacts:
    """What a letter is about, as it is when it is sent; what does not concern its kind is empty."""

    kind: LetterKind
    address: str
    expires_at: datetime
    may_repeat: bool
    user_name: str = ""
    team_name: str = ""
    role: str = ""
    inviter_name: str = ""


def text_of(facts: LetterFacts, token: str, public_url: str) -> LetterText:
    """The letter, with its token."""
    subject, *lines = _TEXTS[facts.kind](facts, token, f"{public_url}/api/v1")
    repeat = (
        ("This may be a repeat of a mail that you have received already.", "") if facts.may_repeat else ()
    )
    return LetterText(subject, (*repeat, *lines))


def _verify_address(facts: LetterFacts, token: str, api: str) -> tuple[str, ...]:
    return (
        "Please confirm your e-mail address",
        f"Hello {facts.user_name},",
        "",
        f"please confirm that {facts.address} is your address: log in, and send this token.",
        "",
        f"POST {api}/auth/verify-email",
        f'{{"token": "{token}"}}',
        "",
        f"It is good once, until {_until(facts)}.",
        "If you have not opened an account with AlertOps, somebody else has used your address. They get",
        "nothing by that, as long as nobody gives them this token.",
    )


def _address_taken(facts: LetterFacts, _token: str, api: str) -> tuple[str, ...]:
    return (
        "You have an account already",
        f"Hello {facts.user_name},",
        "",
        f"somebody, perhaps you, wanted to open an account for {facts.address}. There is one already: log in",
        "with its password, or ask for another one.",
        "",
        f"POST {api}/auth/password-reset",
        f'{{"email": "{facts.address}"}}',
        "",
        _NOT_YOU,
    )


def _reset_password(facts: LetterFacts, token: str, api: str) -> tuple[str, ...]:
    return (
        "Choose another password",
        f"Hello {facts.user_name},",
        "",
        "to choose another password, send it with this token. You are logged out everywhere by that.",
        "",
        f"POST {api}/auth/password-reset/confirm",
        f'{{"token": "{token}", "new_password": "..."}}',
        "",
        f"It is good once, until {_until(facts)}.",
        _NOT_YOU,
    )


def _invitation(facts: LetterFacts, token: str, api: str) -> tuple[str, ...]:
    inviter = facts.inviter_name or "Somebody"
    return (
        f"You are invited to the team {facts.team_name}",
        f"{inviter} invites you to the team {facts.team_name}, as {facts.role}.",
        "",
        "To see the invitation:",
        f"{api}/invitations/{token}",
        "",
        "To accept or to decline it, with an account or before you have one:",
        f"POST {api}/invitations/{token}/accept",
        f"POST {api}/invitations/{token}/decline",
        "",
        "To open an account and be a member at once:",
        f"POST {api}/auth/register",
        f'{{"email": "{facts.address}", "name": "...", "password": "...", "invitation_token": "{token}"}}',
        "",
        f"The invitation is open until {_until(facts)}. It is for you alone: do not pass this mail on.",
        _NOT_YOU,
    )


def _confirm_outsider(facts: LetterFacts, token: str, api: str) -> tuple[str, ...]:
    return (
        f"May the team {facts.team_name} send you alerts?",
        f"The team {facts.team_name} would like to send its alerts to {facts.address}.",
        "",
        "To see who asks:",
        f"{api}/confirm/{token}",
        "",
        "To agree:",
        f"POST {api}/confirm/{token}",
        "",
        f"The question is open until {_until(facts)}. Without your answer you are not alerted.",
    )


def _until(facts: LetterFacts) -> str:
    return f"{facts.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_TEXTS = {
    LetterKind.VERIFY_ADDRESS: _verify_address,
    LetterKind.ADDRESS_TAKEN: _address_taken,
    LetterKind.RESET_PASSWORD: _reset_password,
    LetterKind.INVITATION: _invitation,
    LetterKind.CONFIRM_OUTSIDER: _confirm_outsider,
}
