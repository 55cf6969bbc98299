"""`alertops keys`: the file of keys that sign access tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from alertops.errors import SigningKeysError
from alertops.signing_keys import KeyRing, generate_keys, key_id, read_keys, rotate_keys

FILE = click.argument("file", envvar="ALERTOPS_JWT_KEYS_FILE", type=click.Path(path_type=Path))

RELOAD = "Restart the API processes, or send gunicorn HUP: they read the file when they start."


@click.group()
def keys() -> None:
    """The keys that sign access tokens.

    FILE is what ALERTOPS_JWT_KEYS_FILE names for the API, and need not be given where that is set.
    """


@keys.command()
@FILE
def generate(file: Path) -> None:
    """Make FILE, with a key that signs and the one that will after the next rotation."""
    _print(_done(generate_keys, file))


@keys.command()
@FILE
def rotate(file: Path) -> None:
    """Sign with the next key from now on, and make the one after it.

    No token ends by this, and the processes need not learn of it at the same time: each knows the next
    key since the last rotation. A key that may have been stolen is not rotated but replaced: move FILE away
    and generate a new one. All access tokens end then; clients get new ones with their refresh tokens.
    """
    waited = len(_done(read_keys, file).private) > 1
    _print(_done(rotate_keys, file))
    if not waited:
        click.echo("There was no next key yet. It signs after the next rotation.")
    click.echo(RELOAD)


@keys.command(name="list")
@FILE
def list_(file: Path) -> None:
    """Tell which keys are in FILE, by the `kid` of the tokens that they sign."""
    _print(_done(read_keys, file))


def _done(act: Callable[[Path], KeyRing], file: Path) -> KeyRing:
    try:
        return act(file)
    except SigningKeysError as error:
        raise click.ClickException(f"{error}.") from error


def _print(ring: KeyRing) -> None:
    for line in _lines(ring):
        click.echo(line)


def _lines(ring: KeyRing) -> Iterator[str]:
    signing, *waiting = ring.private
    yield f"signs     {key_id(signing.public_key())}"
    for key in waiting:
        yield f"next      {key_id(key.public_key())}"
    for retired in ring.retired:
        yield f"verifies  {key_id(retired)}"
