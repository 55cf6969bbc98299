"""The environment is read once, and every fault in it is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from alertops.errors import ConfigurationError
from api.config import flask_config, load_api_settings
from tests.api_environment import api_environment, keys_file

GOOD = api_environment(
    "postgresql+psycopg2://alertops@127.0.0.1:5432/alertops", "amqp://alertops@127.0.0.1:5672/"
)


def test_tokens_live_fifteen_minutes_and_thirty_days_unless_told_otherwise() -> None:
    settings = load_api_settings(GOOD)
    assert (settings.access_token_seconds, settings.refresh_token_seconds) == (900, 2_592_000)
    changed = load_api_settings({**GOOD, "ALERTOPS_ACCESS_TOKEN_SECONDS": "60"})
    assert changed.access_token_seconds == 60


def test_every_fault_is_named_at_once() -> None:
    faulty = {
        **GOOD,
        "ALERTOPS_JWT_KEYS_FILE": "/nowhere/keys.pem",
        "ALERTOPS_DATABASE_URL": "mysql://x/y",
        "ALERTOPS_ACCESS_TOKEN_SECONDS": "soon",
    }
    with pytest.raises(ConfigurationError) as caught:
        load_api_settings(faulty)
    named = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    for variable in ("ALERTOPS_JWT_KEYS_FILE", "ALERTOPS_DATABASE_URL", "ALERTOPS_ACCESS_TOKEN_SECONDS"):
        assert variable in named


def test_a_process_without_keys_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="ALERTOPS_JWT_KEYS_FILE is not set"):
        load_api_settings({**GOOD, "ALERTOPS_JWT_KEYS_FILE": ""})


def test_a_file_of_keys_that_others_can_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "keys.pem"
    file.write_bytes(keys_file().read_bytes())
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"ALERTOPS_JWT_KEYS_FILE: .*chmod 600"):
        load_api_settings({**GOOD, "ALERTOPS_JWT_KEYS_FILE": str(file)})


def test_the_keys_do_not_show_when_settings_are_printed() -> None:
    shown = repr(load_api_settings(GOOD))
    assert "signing_keys" not in shown
    assert "KeyRing" not in shown


def test_one_algorithm_is_accepted_and_issuer_and_audience_are_checked() -> None:
    config = flask_config(load_api_settings(GOOD))
    assert config["JWT_DECODE_ALGORITHMS"] == [config["JWT_ALGORITHM"]] == ["EdDSA"]
    assert config["JWT_DECODE_ISSUER"] == config["JWT_ENCODE_ISSUER"] is not None
    assert config["JWT_DECODE_AUDIENCE"] == config["JWT_ENCODE_AUDIENCE"] is not None
