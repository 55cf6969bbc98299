"""What the API process needs to know beside the core settings, and what it tells Flask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from alertops.config import Environment, Settings, read_alert_limit, read_settings
from alertops.errors import SigningKeysError
from alertops.signing_keys import KeyRing, read_keys

MAX_BODY_BYTES = 1024 * 1024

# One fixed algorithm: a token cannot choose how it is verified.
_JWT_ALGORITHM = "EdDSA"
_JWT_ISSUER = "alertops"
_JWT_AUDIENCE = "alertops-api"


@dataclass(frozen=True)
class ApiSettings:
    """The core settings, and those of accounts and tokens. Lifetimes are in seconds."""

    core: Settings
    signing_keys: KeyRing = field(repr=False)
    access_token_seconds: int = 15 * 60
    refresh_token_seconds: int = 30 * 24 * 3600
    trusted_proxies: int = 0
    # How many executions a team may open; 0 is no limit.
    team_alerts_per_minute: float = 6000


def load_api_settings(variables: Mapping[str, str] | None = None) -> ApiSettings:
    """Settings from the environment (or from `variables`); raises `ConfigurationError` with every fault."""
    environment = Environment(variables)
    keys = _signing_keys(environment)
    access = environment.number("ALERTOPS_ACCESS_TOKEN_SECONDS", 15 * 60, low=60, high=24 * 3600)
    refresh = environment.number(
        "ALERTOPS_REFRESH_TOKEN_SECONDS", 30 * 24 * 3600, low=3600, high=365 * 24 * 3600
    )
    proxies = environment.number("ALERTOPS_TRUSTED_PROXIES", 0, low=0, high=10)
    alerts = read_alert_limit(environment)
    return read_settings(
        environment, lambda core: ApiSettings(core, keys(), int(access), int(refresh), int(proxies), alerts)
    )


def _signing_keys(environment: Environment) -> Callable[[], KeyRing]:
    """Read the file of keys; what is returned gives the keys, once no fault was found."""
    file = environment.text("ALERTOPS_JWT_KEYS_FILE")
    if not file:
        return KeyRing.new
    try:
        ring = read_keys(Path(file))
    except SigningKeysError as error:
        environment.problems.append(f"ALERTOPS_JWT_KEYS_FILE: {error}; `alertops keys generate` makes one")
        return KeyRing.new
    return lambda: ring


def flask_config(settings: ApiSettings) -> dict[str, Any]:
    """The configuration of Flask and its extensions."""
    return {
        "SQLALCHEMY_DATABASE_URI": settings.core.database_url,
        "MAX_CONTENT_LENGTH": MAX_BODY_BYTES,
        "JWT_ALGORITHM": _JWT_ALGORITHM,
        "JWT_DECODE_ALGORITHMS": [_JWT_ALGORITHM],
        "JWT_ENCODE_ISSUER": _JWT_ISSUER,
        "JWT_DECODE_ISSUER": _JWT_ISSUER,
        "JWT_ENCODE_AUDIENCE": _JWT_AUDIENCE,
        "JWT_DECODE_AUDIENCE": _JWT_AUDIENCE,
        "JWT_TOKEN_LOCATION": ["headers"],
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=settings.access_token_seconds),
        "TEAM_ALERTS_PER_MINUTE": settings.team_alerts_per_minute,
        "PUBLIC_URL": settings.core.public_url,
        "APPRISE_SCHEMES": settings.core.apprise_schemes,
        "CONFIRM_OUTSIDERS": settings.core.confirm_outsiders,
        "REFRESH_TOKEN_LIFETIME": timedelta(seconds=settings.refresh_token_seconds),
    }
