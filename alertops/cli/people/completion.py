"""`alertops completion`: what a shell needs to complete what is typed."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

# Where a shell looks for it, so that the help can say what to do with the script.
_HOW = """\b
bash  alertops completion bash > ~/.local/share/bash-completion/completions/alertops
zsh   alertops completion zsh > a folder of $fpath, as _alertops
fish  alertops completion fish > ~/.config/fish/completions/alertops.fish
"""


@click.command(epilog=_HOW)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in SHELL."""
    complete = get_completion_class(shell)
    if complete is None:
        raise click.ClickException(f"There is no completion for {shell}.")
    root = context.find_root()
    click.echo(complete(root.command, {}, "alertops", "_ALERTOPS_COMPLETE").source())
