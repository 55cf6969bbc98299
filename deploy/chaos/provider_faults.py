"""Faults of those who take messages: all mailboxes, or all machines, have a bad time together."""

from __future__ import annotations

import time
from collections.abc import Callable

from deploy.chaos import machines, mailboxes
from deploy.chaos.schedule import PlannedFault
from deploy.chaos.system import System
from deploy.local.errors import LocalStackError
from deploy.local.smtp_sink import Behaviour

Injection = Callable[[System, PlannedFault], None]


def mail_server(behaviour: Behaviour) -> Injection:
    def inject(system: System, fault: PlannedFault) -> None:
        mailboxes.all_alike(system.sink, behaviour)
        time.sleep(fault.seconds)
        mailboxes.as_usual(system.sink)

    return inject


def machines_fail(system: System, fault: PlannedFault) -> None:
    if system.machines is None:
        raise LocalStackError("no flow of this run has webhooks")
    system.machines.all_alike(machines.FAILURES[fault.target])
    time.sleep(fault.seconds)
    system.machines.all_alike(None)
