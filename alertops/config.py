"""Environment -> frozen settings, checked when a process starts, every fault named at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TypeVar
from urllib.parse import urlsplit

from alertops.answer_links import MAX_KEYS, MIN_KEY_BYTES
from alertops.channels.address import ascii_address
from alertops.channels.apprise.schemes import NONE, SCHEMES, read_schemes
from alertops.channels.mailer import SmtpSettings
from alertops.channels.outward import WebhookSettings
from alertops.channels.public_address import read_networks
from alertops.errors import ConfigurationError
from alertops.secret_box import KEYS_VARIABLE, problems_of

T = TypeVar("T")

MAKE_A_KEY = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


# What the extra `tracing` brings.
TRACING_NEEDS = ("opentelemetry.sdk", "opentelemetry.exporter")


class Environment:
    """Reads variables and collects what is wrong with them, so that one start names all faults."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables
        self.problems: list[str] = []

    def text(self, name: str, default: str | None = None, *, at_least: int = 1) -> str:
        value = self._variables.get(name, "") or default
        if value is None:
            self.problems.append(f"{name} is not set")
            return ""
        if len(value) < at_least:
            self.problems.append(f"{name} must have at least {at_least} characters")
        return value

    def optional(self, name: str) -> str | None:
        return self._variables.get(name) or None

    def listed(self, name: str) -> tuple[str, ...]:
        """What the variable lists, separated by commas; nothing when it is not set."""
        return tuple(part.strip() for part in self._variables.get(name, "").split(",") if part.strip())

    def keys(self, name: str) -> tuple[str, ...]:
        """Secrets, separated by commas. What is wrong is said without quoting any."""
        keys = self.listed(name)
        if not keys:
            self.problems.append(f"{name} is not set; this makes a key: {MAKE_A_KEY}")
        elif len(keys) > MAX_KEYS:
            self.problems.append(f"{name} must have at most {MAX_KEYS} keys, and has {len(keys)}")
        for number, key in enumerate(keys[:MAX_KEYS], start=1):
            if len(key.encode()) < MIN_KEY_BYTES:
                self.problems.append(
                    f"{name} must have keys of {MIN_KEY_BYTES} bytes or more, and key {number} is shorter; "
                    f"this makes one: {MAKE_A_KEY}"
                )
        return keys

    def url(self, name: str, *, schemes: tuple[str, ...]) -> str:
        value = self.text(name)
        if value and not _is_url(value, schemes):
            self.problems.append(f"{name} must be a URL such as {schemes[0]}://user:password@host:port/name")
        return value

    def urls(self, name: str, *, schemes: tuple[str, ...]) -> str:
        """One URL, or several with semicolons between them."""
        value = self.text(name)
        if value and not all(_is_url(part, schemes) for part in value.split(";")):
            self.problems.append(
                f"{name} must be a URL such as {schemes[0]}://user:password@host:port/name, or one for each "
                "node of a cluster, with nothing but semicolons between them"
            )
        return value

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        raw = self._variables.get(name)
        if not raw:
            return float(default)
        try:
            value = float(raw)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            self.problems.append(f"{name} must be a number from {low:g} to {high:g}, not {raw!r}")
            return float(default)
        return value

    def port(self, name: str, default: int) -> int:
        value = self.number(name, default, low=1, high=65535)
        if not value.is_integer():
            self.problems.append(f"{name} must be a whole number, not {value:g}")
        return int(value)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self._variables.get(name) or default
        if value not in choices:
            self.problems.append(f"{name} must be one of {', '.join(choices)}, not {value!r}")
            return default
        return value

    def flag(self, name: str, default: bool) -> bool:
        return self.choice(name, "yes" if default else "no", ("yes", "no")) == "yes"

    def finish(self, build: Callable[[], T]) -> T:
        """Build the settings when nothing was wrong; raise `ConfigurationError` with every fault else."""
        if self.problems:
            raise ConfigurationError(self.problems)
        return build()


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@dataclass(frozen=True)
class Timing:
    """How long things may take, in seconds. The defaults keep the promise of repair within 20 s."""

    send_deadline: float = 10.0  # connecting and transmitting one message
    lease_margin: float = 5.0  # from the send deadline until another worker may take over
    publish_timeout: float = 2.0  # a request never waits longer for a broker that hangs
    recovery_tick: float = 10.0  # the repair of last resort; 0 turns it off
    recovery_grace: float = 5.0  # how late a row may be before it is dispatched again
    canary_interval: float = 5.0  # from canary to canary in each worker; 0 turns them off

    @property
    def lease(self) -> float:
        return self.send_deadline + self.lease_margin


@dataclass(frozen=True)
class Settings:
    """What every process of AlertOps needs to know."""

    # Both hold passwords, which have no business in a log.
    database_url: str = field(repr=False)
    # The broker's address, or those of its nodes with semicolons between them.
    broker_url: str = field(repr=False)
    smtp: SmtpSettings
    # Where the world reaches the API, without a slash at the end: mails say what can be done there.
    public_url: str
    # What signs the links in alerts, newest first.
    link_keys: tuple[str, ...] = field(repr=False)
    # What seals secrets that are stored, newest first.
    secrets_keys: tuple[str, ...] = field(repr=False)
    timing: Timing
    # Whether an address that is no member's must agree before it is alerted.
    confirm_outsiders: bool
    log_format: str
    log_level: str
    # Whether spans are told to the collector that OTEL_EXPORTER_OTLP_* name.
    tracing: bool
    webhooks: WebhookSettings
    # The services that alerts may go to by Apprise, by the schemes of their URLs.
    apprise_schemes: frozenset[str] = SCHEMES


def load_settings(variables: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment (or from `variables`); raises `ConfigurationError`."""
    environment = Environment(variables)
    return read_settings(environment, lambda settings: settings)


def read_settings(environment: Environment, build: Callable[[Settings], T]) -> T:
    """Read the settings, and whatever else `build` was given to read from the same environment."""
    database_url = environment.url("ALERTOPS_DATABASE_URL", schemes=("postgresql+psycopg2", "postgresql"))
    broker_url = environment.urls("ALERTOPS_BROKER_URL", schemes=("amqp", "amqps"))
    build_smtp = _smtp(environment)
    public_url = environment.url("ALERTOPS_PUBLIC_URL", schemes=("https", "http")).rstrip("/")
    link_keys = environment.keys("ALERTOPS_LINK_KEYS")
    secrets_keys = read_secrets_keys(environment)
    timing = _timing(environment)
    confirm = environment.flag("ALERTOPS_CONFIRM_OUTSIDERS", False)
    log_format = environment.choice("ALERTOPS_LOG_FORMAT", "json", ("json", "console"))
    log_level = environment.choice("ALERTOPS_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
    tracing = _tracing(environment)
    webhooks = _webhooks(environment)
    apprise_schemes = _apprise_schemes(environment)
    return environment.finish(
        lambda: build(
            Settings(
                database_url,
                broker_url,
                build_smtp(),
                public_url,
                link_keys,
                secrets_keys,
                timing,
                confirm,
                log_format,
                log_level,
                tracing,
                webhooks,
                apprise_schemes,
            )
        )
    )


def read_alert_limit(environment: Environment) -> float:
    """How many executions a team may open a minute; 0 is no limit."""
    return environment.number("ALERTOPS_TEAM_ALERTS_PER_MINUTE", 6000, low=0, high=1_000_000)


def read_secrets_keys(environment: Environment) -> tuple[str, ...]:
    """The keys that seal stored secrets, newest first; what is wrong with them is said."""
    keys = environment.listed(KEYS_VARIABLE)
    environment.problems += problems_of(keys)
    return keys


def _timing(environment: Environment) -> Timing:
    usual = Timing()
    return Timing(
        send_deadline=environment.number(
            "ALERTOPS_SEND_DEADLINE_SECONDS", usual.send_deadline, low=1, high=300
        ),
        lease_margin=environment.number("ALERTOPS_LEASE_MARGIN_SECONDS", usual.lease_margin, low=1, high=300),
        publish_timeout=environment.number(
            "ALERTOPS_PUBLISH_TIMEOUT_SECONDS", usual.publish_timeout, low=0.1, high=30
        ),
        recovery_tick=environment.number(
            "ALERTOPS_RECOVERY_TICK_SECONDS", usual.recovery_tick, low=0, high=3600
        ),
        recovery_grace=environment.number(
            "ALERTOPS_RECOVERY_GRACE_SECONDS", usual.recovery_grace, low=1, high=3600
        ),
        canary_interval=environment.number(
            "ALERTOPS_CANARY_SECONDS", usual.canary_interval, low=0, high=3600
        ),
    )


def _tracing(environment: Environment) -> bool:
    wanted = environment.flag("ALERTOPS_TRACING", False)
    # Only who wants it looks for it, and so imports the folder that it is in.
    if wanted and not all(find_spec("opentelemetry") and find_spec(part) for part in TRACING_NEEDS):
        environment.problems.append(
            "ALERTOPS_TRACING=yes needs packages that are not installed: pip install 'alertops[tracing]'"
        )
    return wanted


def _webhooks(environment: Environment) -> WebhookSettings:
    networks = environment.optional("ALERTOPS_WEBHOOK_ALLOWED_NETWORKS") or ""
    ca_file = environment.optional("ALERTOPS_WEBHOOK_CA_FILE")
    try:
        return WebhookSettings(read_networks(networks), ca_file)
    except ValueError as error:
        environment.problems.append(
            f"ALERTOPS_WEBHOOK_ALLOWED_NETWORKS must be networks such as 10.1.0.0/16,fd00::/8: {error}"
        )
        return WebhookSettings()


def _apprise_schemes(environment: Environment) -> frozenset[str]:
    try:
        return read_schemes(environment.listed("ALERTOPS_APPRISE_SCHEMES"))
    except ValueError as error:
        environment.problems.append(
            f"ALERTOPS_APPRISE_SCHEMES must be {NONE}, or some of {','.join(sorted(SCHEMES))}: {error}"
        )
        return SCHEMES


def _smtp(environment: Environment) -> Callable[[], SmtpSettings]:
    """Read the mail server's settings; what is returned builds them, once no fault was found."""
    username = environment.optional("ALERTOPS_SMTP_USERNAME")
    password = environment.optional("ALERTOPS_SMTP_PASSWORD")
    security = environment.choice("ALERTOPS_SMTP_SECURITY", "starttls", ("none", "starttls", "tls"))
    host = environment.text("ALERTOPS_SMTP_HOST")
    port = environment.port("ALERTOPS_SMTP_PORT", 587)
    mail_from = environment.text("ALERTOPS_MAIL_FROM")
    ca_file = environment.optional("ALERTOPS_SMTP_CA_FILE")
    environment.problems += _smtp_problems(username, password, security, mail_from)
    return lambda: SmtpSettings(
        host=host,
        port=port,
        security=security,  # type: ignore[arg-type]  # `choice` returns one of the three
        username=username,
        password=password,
        mail_from=mail_from,
        ca_file=ca_file,
    )


def _smtp_problems(
    username: str | None, password: str | None, security: str, mail_from: str
) -> Iterator[str]:
    if (username is None) != (password is None):
        yield "ALERTOPS_SMTP_USERNAME and ALERTOPS_SMTP_PASSWORD go together"
    if not f"{username}{password}".isascii():
        yield "ALERTOPS_SMTP_USERNAME and ALERTOPS_SMTP_PASSWORD must be ASCII"
    if password is not None and security == "none":
        yield (
            "ALERTOPS_SMTP_PASSWORD needs ALERTOPS_SMTP_SECURITY=starttls or tls: "
            "without, it would cross the network in clear text"
        )
    if mail_from:
        try:
            ascii_address(mail_from)
        except ValueError as error:
            yield f"ALERTOPS_MAIL_FROM must be an e-mail address: {error}"
