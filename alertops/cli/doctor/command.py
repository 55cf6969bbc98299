"""The command: ask every part, say a line of each, and end with 1 when something is to be done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.metadata import version

import click

from alertops.cli.doctor import broker, database, mail, settings
from alertops.cli.doctor.finding import Finding


@click.command()
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines to read, or one document for programs.",
)
def doctor(output: str) -> None:
    """Check configuration, database, broker and mail server, and say what to do.

    It reads the environment as the processes do: run it where they run. It writes, publishes and sends
    nothing.
    Exits with 1 when something is to be done.
    """
    findings = []
    for finding in _examine():
        findings.append(finding)
        if output == "text":
            _say(finding)
    if output == "json":
        _print_json(findings)
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(1)


def _examine() -> Iterator[Finding]:
    yield Finding("release", f"alertops {version('alertops')}")
    usable, findings = settings.read(os.environ)
    yield from findings
    if usable is not None:
        for part in (database, broker, mail):
            yield from part.check(usable)


def _say(finding: Finding) -> None:
    click.echo(f"{'✓' if finding.ok else '✗'} {finding.about}: {finding.found}")
    if finding.advice is not None:
        click.echo(f"  → {finding.advice}")


def _print_json(findings: list[Finding]) -> None:
    told = [{"about": f.about, "ok": f.ok, "found": f.found, "advice": f.advice} for f in findings]
    click.echo(
        json.dumps({"ok": all(f.ok for f in findings), "findings": told}, ensure_ascii=False, indent=2)
    )
