"""The group that all commands belong to."""

from __future__ import annotations

import click

from alertops.cli.dead_letters import dead_letters_group
from alertops.cli.keys import keys
from alertops.cli.verify import verify
from alertops.cli.workers import workers


@click.group(help="AlertOps, for operators.")
def main() -> None:
    """Commands are added below; the group itself does nothing."""


main.add_command(dead_letters_group)
main.add_command(keys)
main.add_command(verify)
main.add_command(workers)
