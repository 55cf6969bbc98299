"""The timelines in the terminal: planned against actual, to the millisecond."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from deploy.local.promises import PROMISES, Verdict
from deploy.local.smtp_sink import Event, Received

STYLES = {
    "running": "yellow",
    "acknowledged": "green",
    "resolved": "green",
    "exhausted": "magenta",
    "waiting": "yellow",
    "planned": "dim",
    "fired": "bold",
    "cancelled": "dim",
    "delivered": "green",
    "failed": "red",
    "unknown": "magenta",
    "sending": "yellow",
    "scheduled": "yellow",
}


def frame(executions: Sequence[dict[str, Any]]) -> RenderableType:
    """Every execution with its steps."""
    return Group(*(timeline(execution) for execution in executions))


def summary(verdict: Verdict, mails: Sequence[Received], events: Sequence[Event]) -> RenderableType:
    """What the mail server saw, and whether the promises were kept."""
    refused = Counter(event.code for event in events if event.code is not None and event.code >= 400)
    refusals = ", ".join(f"{count} x {code}" for code, count in sorted(refused.items())) or "none"
    ids = Counter(mail.message_id for mail in mails)
    repeated = sum(count - 1 for count in ids.values())
    lateness = sorted(verdict.lateness) or [0.0]
    table = Table(
        "promise",
        Column("times checked", justify="right"),
        title="What was promised, held against what was received",
        title_justify="left",
    )
    for promise, sentence in PROMISES.items():
        table.add_row(sentence, str(verdict.checked[promise]))
    facts = (
        f"The mail server took {len(mails)} mails ({repeated} repeated under the same Message-ID) "
        f"and refused: {refusals}.\n"
        f"Steps fired late by {lateness[len(lateness) // 2] * 1000:.0f} ms in the median, "
        f"{lateness[-1] * 1000:.0f} ms at most; none early."
    )
    if verdict.broken:
        return Group(table, facts, Text("\n".join(["PROMISES BROKEN", *verdict.broken]), style="bold red"))
    return Group(table, facts, Text("All promises kept.", style="bold green"))


def mailbox(mails: Sequence[Received], shown: Sequence[dict[str, Any]]) -> Table:
    """Every mail that the mail server took, in the order in which it took them."""
    anchors = {execution["id"]: _instant(execution["anchor_at"]) for execution in shown}
    table = Table(title="What the mail server received", title_justify="left")
    for heading in ("after", "to", "subject", "attempt", "Message-ID"):
        table.add_column(heading, overflow="ellipsis", no_wrap=True)
    for mail in mails:
        after = mail.received_at - anchors[mail.alertops("Execution")]
        table.add_row(
            f"+{after.total_seconds():.3f} s",
            mail.rcpt_to[0].partition("@")[0],
            str(mail.message["Subject"]),
            mail.alertops("Attempt"),
            _shortened(mail.message_id),
        )
    return table


def _shortened(message_id: str) -> str:
    """Enough of a Message-ID to tell it from others: the ends of `<execution.step.target@domain>`."""
    key = message_id.removeprefix("<").partition("@")[0]
    execution, _, spot = key.partition(".")
    return f"<{execution[:8]}…{spot}@…>"


def timeline(execution: dict[str, Any]) -> Table:
    """One execution: a row a step; times are seconds after the alert."""
    table = Table(title_justify="left", expand=False)
    table.title = Text.assemble((execution["summary"], "bold"), "   ", _styled(execution["status"]))
    for heading, justify in (
        ("step", "right"),
        ("node", "left"),
        ("planned", "right"),
        ("due", "right"),
        ("fired", "right"),
        ("late by", "right"),
        ("attempts", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # one of rich's words
    anchor = _instant(execution["anchor_at"])
    for step in execution["steps"]:
        table.add_row(
            str(step["number"]),
            step["node_name"],
            _offset(step["planned_at"], anchor),
            _due(step, anchor),
            _offset(step["fired_at"], anchor) if step["fired_at"] else _styled(step["status"]),
            f"{step['lateness_ms']} ms" if step["fired_at"] else "",
            _attempts(step["attempts"]),
        )
    return table


def _due(step: dict[str, Any], anchor: datetime) -> Text | str:
    if step["due_at"] == step["planned_at"]:
        return _offset(step["due_at"], anchor)
    return Text(f"{_offset(step['due_at'], anchor)} ⇡", style="magenta")


def _attempts(attempts: Sequence[dict[str, Any]]) -> Text:
    told = [
        Text.assemble(_styled(attempt["status"]), " ", (_reply(attempt["detail"]), "dim"))
        for attempt in attempts
    ]
    return Text(" → ").join(told)


def _reply(detail: str | None) -> str:
    """The mail server's reply code."""
    code = re.search(r"\b[245]\d\d\b", detail or "")
    return code.group() if code else ""


def _styled(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))


def _offset(at: str, anchor: datetime) -> str:
    return f"+{(_instant(at) - anchor).total_seconds():.3f} s"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
