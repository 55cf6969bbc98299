"""`python -m deploy.local`: AlertOps on this machine, with a private Postgres and RabbitMQ."""

import shlex
from pathlib import Path

import click

from deploy.local import binaries
from deploy.local.errors import LocalStackError
from deploy.local.fleet import fleet_processes
from deploy.local.locks import exclusive
from deploy.local.stack import PrivateStack, stack_from_environment
from deploy.local.welcome import running_fleet, welcome


class SentenceGroup(click.Group):
    """A group whose commands fail with a sentence and exit code 1, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LocalStackError as error:
            raise click.ClickException(str(error)) from error


def tell(sentence: str) -> None:
    """Progress goes to stderr, so that stdout holds answers only."""
    click.echo(sentence, err=True)


@click.group(cls=SentenceGroup, help="AlertOps on this machine, with a private Postgres and RabbitMQ.")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".local/stack"),
    show_default=True,
    help="The folder that the servers belong to.",
)
@click.pass_context
def main(context: click.Context, root: Path) -> None:
    context.obj = root


@main.command()
@click.pass_obj
def up(root: Path) -> None:
    """Start the servers that the environment does not name; install them first where that is allowed."""
    stack = stack_from_environment(root, tell)
    for variable, url in stack.up().as_environment().items():
        click.echo(f"{variable}={url}")


@main.command()
@click.option("--remove", is_flag=True, help="Also delete their data.")
@click.pass_obj
def down(root: Path, remove: bool) -> None:
    """Stop the private servers."""
    stack = PrivateStack(root, report=tell)
    if remove:
        stack.remove()
    else:
        stack.down()


@main.command()
@click.pass_obj
def status(root: Path) -> None:
    """Say of each private server whether it runs, and where; exit code 1 unless both do."""
    stack = PrivateStack(root)
    for server in stack.servers:
        if server.is_running():
            click.echo(f"{server.title} is running at {server.url}, its log is {server.log}")
        else:
            click.echo(f"{server.title} is not running")
    if not stack.is_running():
        raise click.exceptions.Exit(1)


@main.command()
@click.pass_obj
def env(root: Path) -> None:
    """Print the servers' addresses for a shell: eval "$(python -m deploy.local env)"."""
    for variable, url in stack_from_environment(root).addresses.as_environment().items():
        click.echo(f"export {variable}={shlex.quote(url)}")


@main.command()
@click.pass_obj
def run(root: Path) -> None:
    """Start all of AlertOps that is not running: servers, API, workers, Flower and a mail sink."""
    stack = stack_from_environment(root, tell)
    addresses = stack.up()
    tell("Starting the API, the workers and Flower ...")
    with exclusive(stack.root, tell):
        fleet = running_fleet(stack.root, addresses)
    click.echo(welcome(fleet))


@main.command()
@click.pass_obj
def stop(root: Path) -> None:
    """Stop all of AlertOps, the private servers too; what is being sent is finished first."""
    stack = PrivateStack(root, report=tell)
    fleet = fleet_processes(stack.root)
    if fleet.running:
        tell("Stopping the API, the workers and Flower ...")
        fleet.stop()
    stack.down()


@main.command()
def install() -> None:
    """Find all programs that demo and tests need; install them where that is allowed."""
    binaries.ensure_installed(tuple(binaries.FINDERS), tell)
    for package, find in binaries.FINDERS.items():
        click.echo(f"{package}: {find()}")


if __name__ == "__main__":
    main(prog_name="python -m deploy.local")
