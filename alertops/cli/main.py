"""The group that all commands belong to."""

from __future__ import annotations

import click

from alertops.cli.sections import SectionedGroup

_PEOPLE = "alertops.cli.people"

SECTIONS = {
    "People (over the API)": {
        "login": f"{_PEOPLE}.login:login",
        "logout": f"{_PEOPLE}.login:logout",
        "team": f"{_PEOPLE}.team:team",
        "flow": f"{_PEOPLE}.flow:flow",
        "preview": f"{_PEOPLE}.preview:preview",
        "trigger": f"{_PEOPLE}.trigger:trigger",
        "executions": f"{_PEOPLE}.executions:executions",
        "ack": f"{_PEOPLE}.operate:ack",
        "resolve": f"{_PEOPLE}.operate:resolve",
        "cancel": f"{_PEOPLE}.operate:cancel",
        "snooze": f"{_PEOPLE}.operate:snooze",
        "unsnooze": f"{_PEOPLE}.operate:unsnooze",
        "escalate": f"{_PEOPLE}.operate:escalate",
        "reassign": f"{_PEOPLE}.operate:reassign",
        "replay": f"{_PEOPLE}.operate:replay",
        "note": f"{_PEOPLE}.operate:note",
        "rebase": f"{_PEOPLE}.rebase:rebase",
        "completion": f"{_PEOPLE}.completion:completion",
    },
    "Operators (on a machine that reaches the servers)": {
        "dead-letters": "alertops.cli.dead_letters:dead_letters_group",
        "doctor": "alertops.cli.doctor.command:doctor",
        "keys": "alertops.cli.keys:keys",
        "prune": "alertops.cli.prune:prune_",
        "restored": "alertops.cli.restored:restored",
        "secrets": "alertops.cli.secrets:secrets",
        "verify": "alertops.cli.verify:verify",
        "workers": "alertops.cli.workers:workers",
    },
}


@click.group(cls=SectionedGroup, sections=SECTIONS)
def main() -> None:
    """AlertOps: escalation until somebody acknowledges."""
