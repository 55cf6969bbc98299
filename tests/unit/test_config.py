"""The environment is checked when a process starts: every fault at once, and no secret in what is shown."""

from __future__ import annotations

import pytest

from alertops.config import Settings, Timing, load_settings
from alertops.errors import ConfigurationError

ENOUGH = {
    "ALERTOPS_DATABASE_URL": "postgresql+psycopg2://app:db-secret@db:5432/alertops",
    "ALERTOPS_BROKER_URL": "amqp://app:mq-secret@mq:5672/alertops",
    "ALERTOPS_SMTP_HOST": "mail.example.com",
    "ALERTOPS_MAIL_FROM": "alerts@example.com",
    "ALERTOPS_PUBLIC_URL": "https://alertops.example.com",
    "ALERTOPS_LINK_KEYS": "link-secret-of-more-than-32-bytes-x",
    "ALERTOPS_SECRETS_KEYS": "c2VjcmV0cy1zZWNyZXQtb2YtMzItYnl0ZXMtLS0tLS0=",
}
LOGIN = {"ALERTOPS_SMTP_USERNAME": "alertops", "ALERTOPS_SMTP_PASSWORD": "smtp-secret"}


def load(**more: str) -> Settings:
    return load_settings(ENOUGH | more)


def problems_of(variables: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(variables)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_what_must_be_set_is_enough_and_the_rest_has_defaults() -> None:
    settings = load()
    assert settings.database_url == ENOUGH["ALERTOPS_DATABASE_URL"]
    assert settings.broker_url == ENOUGH["ALERTOPS_BROKER_URL"]
    assert settings.timing == Timing()
    assert (settings.log_format, settings.log_level) == ("json", "INFO")
    assert (settings.smtp.host, settings.smtp.port, settings.smtp.security) == (
        "mail.example.com",
        587,
        "starttls",
    )
    assert (settings.smtp.username, settings.smtp.password) == (None, None)


def test_the_default_times_add_up_to_the_promised_repair_within_20_seconds() -> None:
    timing = load().timing
    assert timing.recovery_tick + timing.recovery_grace + timing.publish_timeout < 20
    assert timing.lease > timing.send_deadline


def test_an_empty_environment_is_told_of_everything_that_is_missing() -> None:
    problems = problems_of({})
    assert [name for name in ENOUGH if not any(problem.startswith(name) for problem in problems)] == []


FAULTS = {
    "ALERTOPS_DATABASE_URL": "mysql://db/alertops",
    "ALERTOPS_BROKER_URL": "not a url",
    "ALERTOPS_MAIL_FROM": "nobody",
    "ALERTOPS_SMTP_PORT": "0",
    "ALERTOPS_SMTP_SECURITY": "maybe",
    "ALERTOPS_SEND_DEADLINE_SECONDS": "soon",
    "ALERTOPS_LEASE_MARGIN_SECONDS": "-1",
    "ALERTOPS_PUBLISH_TIMEOUT_SECONDS": "nan",
    "ALERTOPS_RECOVERY_TICK_SECONDS": "inf",
    "ALERTOPS_RECOVERY_GRACE_SECONDS": "0.5",
    "ALERTOPS_WEBHOOK_ALLOWED_NETWORKS": "10.0.0.1/8",
    "ALERTOPS_LINK_KEYS": "link-secret",
    "ALERTOPS_SECRETS_KEYS": "secrets-secret",
    "ALERTOPS_LOG_FORMAT": "xml",
    "ALERTOPS_LOG_LEVEL": "LOUD",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_by_its_variable_and_alone(name: str) -> None:
    (problem,) = problems_of(ENOUGH | {name: FAULTS[name]})
    assert problem.startswith(name)


def test_all_faults_are_named_at_once() -> None:
    problems = problems_of(ENOUGH | FAULTS)
    assert sorted(problem.split()[0] for problem in problems) == sorted(FAULTS)


@pytest.mark.parametrize("url", ["postgresql://", "postgresql://db:99999/x", "postgresql://[db/x"])
def test_a_url_without_a_usable_host_and_port_is_refused(url: str) -> None:
    (problem,) = problems_of(ENOUGH | {"ALERTOPS_DATABASE_URL": url})
    assert problem.startswith("ALERTOPS_DATABASE_URL")


def test_a_cluster_of_brokers_is_one_address_for_each_node() -> None:
    nodes = "amqp://app:mq-secret@mq-1:5672/alertops;amqp://app:mq-secret@mq-2:5672/alertops"
    assert load(ALERTOPS_BROKER_URL=nodes).broker_url == nodes


@pytest.mark.parametrize("second", ["", "mq-2:5672", "http://mq-2"])
def test_each_of_several_addresses_must_be_one(second: str) -> None:
    (problem,) = problems_of(ENOUGH | {"ALERTOPS_BROKER_URL": f"amqp://app:mq-secret@mq-1/;{second}"})
    assert problem.startswith("ALERTOPS_BROKER_URL")
    assert "mq-secret" not in problem


@pytest.mark.parametrize("alone", LOGIN)
def test_half_a_login_is_refused(alone: str) -> None:
    (problem,) = problems_of(ENOUGH | {alone: LOGIN[alone]})
    assert "go together" in problem


def test_a_password_is_not_sent_in_clear_text() -> None:
    (problem,) = problems_of(ENOUGH | LOGIN | {"ALERTOPS_SMTP_SECURITY": "none"})
    assert "clear text" in problem
    assert load(**LOGIN, ALERTOPS_SMTP_SECURITY="tls").smtp.password == "smtp-secret"


def test_no_secret_shows_when_settings_or_faults_are_printed() -> None:
    shown = repr(load(**LOGIN)) + "".join(
        problems_of(ENOUGH | LOGIN | {"ALERTOPS_SMTP_SECURITY": "none", "ALERTOPS_LOG_LEVEL": "LOUD"})
    )
    assert [
        secret
        for secret in ("db-secret", "mq-secret", "smtp-secret", "link-secret", "c2VjcmV0cy1zZWNyZXQ")
        if secret in shown
    ] == []


def test_the_recovery_tick_can_be_turned_off_and_the_other_times_cannot() -> None:
    assert load(ALERTOPS_RECOVERY_TICK_SECONDS="0").timing.recovery_tick == 0
    problems_of(ENOUGH | {"ALERTOPS_RECOVERY_GRACE_SECONDS": "0"})


def test_settings_cannot_be_changed_once_they_are_checked() -> None:
    with pytest.raises(AttributeError):
        load().broker_url = "amqp://elsewhere/"  # type: ignore[misc]  # that it is refused is the point
