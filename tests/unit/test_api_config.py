"""The environment is read once, and every fault in it is named at once."""

from __future__ import annotations

import pytest

from alertops.errors import ConfigurationError
from api.config import flask_config, load_api_settings

GOOD = {
    "ALERTOPS_DATABASE_URL": "postgresql+psycopg2://alertops@127.0.0.1:5432/alertops",
    "ALERTOPS_BROKER_URL": "amqp://alertops@127.0.0.1:5672/",
    "ALERTOPS_SMTP_HOST": "127.0.0.1",
    "ALERTOPS_MAIL_FROM": "alerts@alertops.test",
    "ALERTOPS_JWT_SECRET": "x" * 32,
}


def test_tokens_live_fifteen_minutes_and_thirty_days_unless_told_otherwise() -> None:
    settings = load_api_settings(GOOD)
    assert (settings.access_token_seconds, settings.refresh_token_seconds) == (900, 2_592_000)
    changed = load_api_settings({**GOOD, "ALERTOPS_ACCESS_TOKEN_SECONDS": "60"})
    assert changed.access_token_seconds == 60


def test_every_fault_is_named_at_once() -> None:
    faulty = {
        **GOOD,
        "ALERTOPS_JWT_SECRET": "short",
        "ALERTOPS_DATABASE_URL": "mysql://x/y",
        "ALERTOPS_ACCESS_TOKEN_SECONDS": "soon",
    }
    with pytest.raises(ConfigurationError) as caught:
        load_api_settings(faulty)
    named = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    for variable in ("ALERTOPS_JWT_SECRET", "ALERTOPS_DATABASE_URL", "ALERTOPS_ACCESS_TOKEN_SECONDS"):
        assert variable in named


def test_a_process_without_a_secret_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="ALERTOPS_JWT_SECRET is not set"):
        load_api_settings({**GOOD, "ALERTOPS_JWT_SECRET": ""})


def test_the_secret_does_not_show_when_settings_are_printed() -> None:
    secret = "a secret that must not be printed"
    assert secret not in repr(load_api_settings({**GOOD, "ALERTOPS_JWT_SECRET": secret}))


def test_one_algorithm_is_accepted_and_issuer_and_audience_are_checked() -> None:
    config = flask_config(load_api_settings(GOOD))
    assert config["JWT_DECODE_ALGORITHMS"] == [config["JWT_ALGORITHM"]] == ["HS256"]
    assert config["JWT_DECODE_ISSUER"] == config["JWT_ENCODE_ISSUER"] is not None
    assert config["JWT_DECODE_AUDIENCE"] == config["JWT_ENCODE_AUDIENCE"] is not None
