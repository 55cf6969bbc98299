"""What all our mails have in common: sender and recipient, a name that machines know them by, line ends."""

from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from alertops.channels.address import ascii_address
from alertops.channels.base import ChannelError
from alertops.channels.text import one_line

# What RFC 5322 allows in the left part of a Message-ID beside letters, digits and "_.-~". The % is
# left out, so that escaping keeps different keys different.
ID_SAFE = "!#$&'*+/=?^`{|}"


class _MailPolicy(EmailPolicy):
    """SMTP line ends, 7-bit bodies, and headers that arrive as they were set.

    The library's own folding breaks long identifiers and addresses (it makes encoded words of them)
    and doubles spaces in a long subject. So nothing is folded: every header is ASCII and far below
    the 998 characters of a line, but for a subject that needs encoded words. Nor is it parsed when it is
    set or read, which the library does in order to fold: that took most of the time that building a mail
    takes.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        if "\r" in value or "\n" in value:
            raise ValueError(f"The header {name} may not have a line end in it.")
        return name, value

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        return value

    def fold(self, name: str, value: Any) -> str:
        if str(value).isascii():
            return f"{name}: {value}{self.linesep}"
        words = Header(str(value), "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {words}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii")


_POLICY = _MailPolicy(linesep="\r\n", cte_type="7bit")


def new_message(address: str, mail_from: str, subject: str, key: str) -> EmailMessage:
    """A mail without a body. The Date is the time of building and only informs: a repeat has a later one.

    `subject` is one line; `key` names the mail in its Message-ID, the same at each sending. Raises
    `ChannelError` (permanent) when the address cannot be mailed, and `ValueError` when `mail_from` cannot be.
    """
    message = EmailMessage(policy=_POLICY)
    message["From"] = ascii_address(mail_from)
    message["To"] = _recipient(address)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id(key, mail_from)
    message["Auto-Submitted"] = "auto-generated"
    return message


def message_id(key: str, mail_from: str) -> str:
    """The Message-ID (RFC 5322, 3.6.4) of what this key names, below the sender's domain."""
    return f"<{quote(key, safe=ID_SAFE)}@{ascii_address(mail_from).rpartition('@')[2]}>"


def _recipient(address: str) -> str:
    try:
        return ascii_address(address)
    except ValueError as error:
        raise ChannelError(one_line(str(error), 500), permanent=True) from error
