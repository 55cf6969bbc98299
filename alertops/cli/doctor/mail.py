"""The mail server: it answers, is who it says, and lets us in. Nothing is sent."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator

from alertops.channels.deadline import Deadline
from alertops.channels.mailer import SmtpSettings
from alertops.channels.smtp import DeadlineSMTP
from alertops.cli.doctor.finding import ANSWER_SECONDS, Finding, one_line
from alertops.config import Settings


def check(settings: Settings) -> Iterator[Finding]:
    """Greet, secure, and log in, as a sender does before each mail."""
    smtp = settings.smtp
    where = f"{smtp.host}:{smtp.port}"
    try:
        tls = ssl.create_default_context(cafile=smtp.ca_file) if smtp.security != "none" else None
    except OSError:
        yield Finding("mail", f"{where} was not asked", "first see to the certificates")
        return
    conversation = DeadlineSMTP(Deadline(ANSWER_SECONDS))
    try:
        _enter(conversation, smtp, tls)
    except ssl.SSLError as error:
        advice = (
            "compare ALERTOPS_SMTP_SECURITY and ALERTOPS_SMTP_HOST with the server's certificate and port"
        )
        yield Finding("mail", f"{where}: {_without(smtp, error)}", f"{advice}, or set ALERTOPS_SMTP_CA_FILE")
    except smtplib.SMTPAuthenticationError as error:
        advice = "compare ALERTOPS_SMTP_USERNAME and ALERTOPS_SMTP_PASSWORD"
        yield Finding("mail", f"{where} does not let us in: {_without(smtp, error)}", advice)
    # UnicodeError: a host name that cannot be looked up.
    except (OSError, UnicodeError) as error:
        advice = (
            "compare ALERTOPS_SMTP_HOST, ALERTOPS_SMTP_PORT, ALERTOPS_SMTP_SECURITY; is a firewall between?"
        )
        yield Finding("mail", f"{where}: {_without(smtp, error)}", advice)
    else:
        entered = "logged in" if smtp.username is not None else "no login"
        yield Finding("mail", f"{where} answers: {smtp.security}, {entered}")
    finally:
        conversation.leave()


def _enter(conversation: DeadlineSMTP, smtp: SmtpSettings, tls: ssl.SSLContext | None) -> None:
    conversation.dial(smtp.host, smtp.port)
    if tls and smtp.security == "tls":
        conversation.secure(tls, smtp.host)
    conversation.greet()
    if tls and smtp.security == "starttls":
        conversation.upgrade(tls, smtp.host)
    if smtp.username is not None and smtp.password is not None:
        conversation.login(smtp.username, smtp.password)


def _without(smtp: SmtpSettings, error: Exception) -> str:
    """The error's words without the password, which a server may repeat."""
    words = one_line(error)
    for secret in smtp.secrets:
        words = words.replace(secret, "***")
    return words
