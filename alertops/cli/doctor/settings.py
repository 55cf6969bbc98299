"""The configuration: every fault by its name, and the files that it names."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from alertops.channels.apprise.services import missing_of
from alertops.cli.doctor.finding import Finding, one_line
from alertops.config import Settings, load_settings
from alertops.errors import ConfigurationError, SigningKeysError
from alertops.signing_keys import read_keys

KEYS_FILE = "ALERTOPS_JWT_KEYS_FILE"


def read(variables: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """The settings, if they can be used, and what is to be said of them."""
    try:
        settings = load_settings(variables)
    except ConfigurationError as error:
        advice = "correct it in the environment of the processes; nothing starts with it"
        return None, [Finding("configuration", problem, advice) for problem in error.problems]
    return settings, [Finding("configuration", "complete"), *_files(settings, variables)]


def _files(settings: Settings, variables: Mapping[str, str]) -> Iterator[Finding]:
    yield _signing_keys(variables.get(KEYS_FILE))
    yield _services(settings.apprise_schemes)
    ca_file = settings.webhooks.ca_file
    if ca_file is not None:
        yield _authorities("webhook certificates", "ALERTOPS_WEBHOOK_CA_FILE", ca_file)
    if settings.smtp.ca_file is not None and settings.smtp.security != "none":
        yield _authorities("mail certificates", "ALERTOPS_SMTP_CA_FILE", settings.smtp.ca_file)


def _signing_keys(file: str | None) -> Finding:
    about = "signing keys"
    if not file:
        return Finding(about, f"{KEYS_FILE} is not set: fine for workers, the API does not start without")
    try:
        read_keys(Path(file))
    except SigningKeysError as error:
        return Finding(
            about, one_line(error), f"`alertops keys generate` makes a file; name it by {KEYS_FILE}"
        )
    return Finding(about, "readable")


def _services(schemes: frozenset[str]) -> Finding:
    """Apprise moves its plugins about now and then, and destinations of a service would be refused."""
    if missing := missing_of(schemes):
        advice = "install the release of apprise that requirements.lock names"
        return Finding("apprise", f"has no {', '.join(f'{scheme}://' for scheme in missing)}", advice)
    return Finding("apprise", f"has {len(schemes)} schemes")


def _authorities(about: str, variable: str, file: str) -> Finding:
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        return Finding(
            about,
            f"{file}: {one_line(error)}",
            f"{variable} must name a readable file of certificates in PEM; nothing is sent without it",
        )
    return Finding(about, f"{file} has certificates")
