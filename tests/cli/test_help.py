"""The help tells everything, completion works, and no option takes a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import BashComplete

from alertops.cli import main
from alertops.cli.main import SECTIONS
from tests.cli.terminal import Terminal


def commands(
    group: click.Group = main, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, also those in groups."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def test_people_and_operators_have_sections_of_their_own(terminal: Terminal) -> None:
    told = terminal.text("--help")
    people, operators = (told.index(section) for section in SECTIONS)
    assert people < told.index("\n  ack ") < operators < told.index("\n  verify ")
    assert terminal.run("nonsense").exit_code == 2


def test_every_command_has_help_and_none_takes_a_secret(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERTOPS_BROKER_URL", "amqp://nowhere")
    found = list(commands())
    assert len(found) >= 35
    for words, command in found:
        assert command.help, words
        assert terminal.run(*words, "--help").exit_code == 0
        names = {name for parameter in command.params for name in parameter.opts}
        assert not {name for name in names if re.search("password$|token|secret|api-key", name)}, words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(terminal: Terminal, shell: str) -> None:
    script = terminal.text("completion", shell)
    assert f"_ALERTOPS_COMPLETE={shell}_complete" in script


def test_completion_knows_the_commands() -> None:
    complete = BashComplete(main, {}, "alertops", "_ALERTOPS_COMPLETE")
    assert [item.value for item in complete.get_completions(["flow"], "ap")] == ["apply"]
    assert [item.value for item in complete.get_completions([], "esc")] == ["escalate"]
