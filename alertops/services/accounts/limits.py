"""What is limited, how much, and by whom it is counted.

    per client address   so that nobody tries many accounts, or opens many
    per account          so that nobody tries many passwords at one, from however many addresses

Whoever tries passwords at somebody's account uses up the count of strangers to it. A client at an address
where the account has a session is no stranger, and has a count of its own: the owner still gets in where they
are at home. And whoever is logged in stays so: refreshing does not ask this.

An account that does not exist is counted like one that does.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network
from uuid import UUID

from sqlalchemy import ColumnElement, exists, false, func, select
from sqlalchemy.orm import Session

from alertops.models import LoginSession, User
from alertops.services.accounts.refresh_token import RefreshToken
from alertops.services.accounts.throttle import Count, Limit

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)

# An office of people behind one address mistypes now and then; good logins do not count.
LOGIN_ADDRESS = Limit("login from", burst=60, interval=10 * _SECOND)
# 1,460 passwords a day at an account, from all strangers together. What is under way counts too, so that the
# scripts of one account have to fit in when they all log in at the same moment.
LOGIN_STRANGER = Limit("login to", burst=20, interval=_MINUTE)
LOGIN_AT_HOME = Limit("login at home to", burst=50, interval=_MINUTE)
# Of somebody who holds an access token, and may have stolen it.
PASSWORD = Limit("password of", burst=10, interval=_MINUTE)
# Every registration counts, whatever came of it.
REGISTER_ADDRESS = Limit("register from", burst=20, interval=_MINUTE)
REGISTER_ACCOUNT = Limit("register as", burst=10, interval=_MINUTE)
# Tokens cannot be guessed: this is for clients that are broken, and ask all the time. Only bad ones count.
REFRESH_ADDRESS = Limit("refresh from", burst=60, interval=2 * _SECOND)
# Every refresh of a session counts.
REFRESH_SESSION = Limit("refresh of", burst=30, interval=10 * _SECOND)

# Links cannot be guessed either. Only bad ones count: whoever has a good one is never kept waiting.
LINK_ADDRESS = Limit("link from", burst=60, interval=2 * _SECOND)
# Every press of a button counts: whoever has a link can write to a timeline with it.
LINK_ANSWER = Limit("answer by", burst=20, interval=10 * _SECOND)

# Nor can the keys of heartbeats, whose doors are open to all. Only bad ones count.
PING_ADDRESS = Limit("ping from", burst=60, interval=2 * _SECOND)

# Each question for another password counts, whatever came of it.
RESET_ADDRESS = Limit("reset from", burst=20, interval=_MINUTE)
# Letters, so that nobody can fill a mailbox by way of us: to one address, whoever asks, and from one team.
LETTER_TARGET = Limit("letter to", burst=5, interval=10 * _MINUTE)
LETTER_TEAM = Limit("letter from", burst=50, interval=_MINUTE)

# Whoever has one IPv6 address has all of its network, and may use another one each time.
_IPV6_PREFIX = 64


class Limits:
    """Under what each try is counted: the client's address first, then the account."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def login(self, session: Session, email: str, address: str | None) -> list[Count]:
        # The database folds the case: it also decides which account the address is that of.
        query = select(func.lower(email), _is_home(email, network_of(address)))
        folded, at_home = session.execute(query).one()
        session.rollback()
        account = (LOGIN_AT_HOME, folded, network_of(address)) if at_home else (LOGIN_STRANGER, folded)
        return [self._count(LOGIN_ADDRESS, network_of(address)), self._count(*account)]

    def register(self, email: str, address: str | None) -> list[Count]:
        return [
            self._count(REGISTER_ADDRESS, network_of(address)),
            self._count(REGISTER_ACCOUNT, email.lower()),
        ]

    def refresh(self, token: RefreshToken, address: str | None) -> list[Count]:
        return [
            self._count(REFRESH_ADDRESS, network_of(address)),
            self._count(REFRESH_SESSION, token.family_hash.hex()),
        ]

    def password(self, user_id: UUID) -> list[Count]:
        return [self._count(PASSWORD, str(user_id))]

    def reset(self, email: str, address: str | None) -> list[Count]:
        return [self._count(RESET_ADDRESS, network_of(address)), *self.letter(email)]

    def letter(self, email: str) -> list[Count]:
        return [self._count(LETTER_TARGET, email.lower())]

    def team_letter(self, team_id: UUID, email: str) -> list[Count]:
        return [self._count(LETTER_TEAM, str(team_id)), *self.letter(email)]

    def bad_link(self, address: str | None) -> list[Count]:
        return [self._count(LINK_ADDRESS, network_of(address))]

    def bad_ping(self, address: str | None) -> list[Count]:
        return [self._count(PING_ADDRESS, network_of(address))]

    def answer_by_link(self, key: str) -> list[Count]:
        return [self._count(LINK_ANSWER, key)]

    def _count(self, limit: Limit, *subject: str | None) -> Count:
        return Count.of(self._secret, limit, *subject)


def network_of(address: str | None) -> str | None:
    """What counts as one client; all whose address is not known count as one."""
    if address is None:
        return None
    bits = _IPV6_PREFIX if ip_address(address).version == 6 else 32
    return str(ip_network(f"{address}/{bits}", strict=False))


def _is_home(email: str, network: str | None) -> ColumnElement[bool]:
    """Whether the account with this address, if there is one, has a session in this network."""
    if network is None:
        return false()
    return exists().where(
        func.lower(User.email) == func.lower(email),
        LoginSession.user_id == User.id,
        LoginSession.expires_at > func.clock_timestamp(),
        LoginSession.address.op("<<=")(network),
    )
