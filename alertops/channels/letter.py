"""A letter as a mail: plain text about an account or a team."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

from alertops.channels.headers import new_message
from alertops.channels.text import one_line

MAX_SUBJECT = 200
MAX_LINE = 1000


@dataclass(frozen=True)
class LetterText:
    """What a letter says; foreign text in it need not be fit for a line. It holds a token: never logged."""

    subject: str
    lines: tuple[str, ...]

    def __repr__(self) -> str:
        return f"LetterText({self.subject!r})"


def build_letter(address: str, key: str, text: LetterText, mail_from: str) -> EmailMessage:
    """The mail; each sending of the letter has the same Message-ID. Raises as `new_message` does."""
    # "=?" begins an encoded word: left together, a mail program would decode what the text only quotes.
    subject = one_line(text.subject.replace("=?", "= ?"), MAX_SUBJECT)
    message = new_message(address, mail_from, subject, key)
    body = "\n".join(one_line(line, MAX_LINE) for line in text.lines)
    message.set_content(f"{body}\n", charset="utf-8")
    return message
