"""Mutants of starting, firing and answering."""

from __future__ import annotations

from deploy.chaos.mutants.mutant import Edit, Mutant

MACHINE = "alertops/escalation/machine.py"
STEPS = "alertops/services/transitions/steps.py"
ATTEMPTS = "alertops/services/transitions/attempts.py"
GUARDED = "alertops/services/transitions/guarded.py"
FIRE = "alertops/services/fire_step.py"
OPEN_OR_JOIN = "alertops/services/open_or_join.py"
BEGIN = "alertops/services/begin_executions.py"
APPLY = "alertops/services/apply.py"
LOCK = "alertops/services/lock.py"

STALE = "    if not state.running or event.status is not StepStatus.WAITING:\n"
WAITING_AND_DUE = "where(_IS, _WAITING, _DUE)"
DUE = "where(_IS, _DUE)"
WAITING = "where(_IS, _WAITING)"

MUTANTS = (
    Mutant(
        "fires-again",
        "a step fires whatever its status, and what is there already is written over",
        schedule="repeated",
        breaks=("once",),
        besides="the primary keys, by upserts: inserting the attempt a second time is refused",
        edits=(
            Edit(MACHINE, STALE, "    if not state.running:\n"),
            Edit(STEPS, WAITING_AND_DUE, DUE),
            Edit(
                STEPS,
                '    """(nothing) -> waiting."""\n',
                "    if session.get(Step, (execution_id, planned.number)) is not None:\n        return\n",
            ),
            Edit(
                ATTEMPTS,
                "    columns = zip(*(_row(attempt) for attempt in attempts), strict=True)\n"
                "    _INSERT.run(session, {name: list(cells) for name, cells in zip(_COLUMNS, columns, "
                "strict=True)})\n",
                "    anew = {'status': 'scheduled', 'finished_at': None, 'transmit_at': None}\n"
                "    for attempt in attempts:\n"
                "        row = dict(zip(_COLUMNS, _row(attempt), strict=True)) | anew\n"
                "        session.merge(Attempt(**row))\n"
                "    session.flush()\n",
            ),
        ),
    ),
    Mutant(
        "fires-after-answer",
        "a step that was cancelled by an acknowledge fires all the same",
        schedule="repeated",
        breaks=("silent", "unclaimed"),
        besides="the guard in the UPDATE, which looks at the status as well",
        edits=(
            Edit(MACHINE, STALE, "    if event.status is StepStatus.FIRED:\n"),
            Edit(STEPS, WAITING_AND_DUE, "where(_IS, _STEPS.c.status != StepStatus.FIRED, _DUE)"),
        ),
    ),
    Mutant(
        "fires-early",
        "a step fires when it is woken, without a look at its due time",
        schedule="repeated",
        breaks=("not early",),
        besides="the guard in the UPDATE, and the check constraint of the table",
        edits=(
            Edit(
                MACHINE,
                "    if event.due_at > now:\n"
                "        return Decision(Reason.EARLY, (WakeAgain(event.due_at),))\n"
                "    place = next_position",
                "    place = next_position",
            ),
            Edit(STEPS, WAITING_AND_DUE, WAITING),
        ),
        statements=("ALTER TABLE steps DROP CONSTRAINT ck_steps_never_early",),
    ),
    Mutant(
        "own-clock",
        "what is due is decided by the clock of the worker, which is 2 s ahead",
        schedule="repeated",
        breaks=("not early",),
        edits=(
            Edit(
                "alertops/db.py",
                "    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()\n"
                "    return now\n",
                "    return datetime.fromtimestamp(time.time() + 2).astimezone()\n",
            ),
            Edit(
                "alertops/db.py",
                "from contextlib import closing\n",
                "import time\nfrom contextlib import closing\n",
            ),
            Edit(
                "alertops/services/locked_step.py",
                "    moment = Moment(rows[-1].now)\n",
                "    moment = Moment(database_now(session))\n",
            ),
            Edit(
                "alertops/services/locked_step.py",
                "db import Moment\n",
                "db import Moment, database_now\n",
            ),
            Edit(
                "alertops/services/locked_attempt.py",
                "        row.now,\n",
                "        database_now(session),\n",
            ),
            Edit(
                "alertops/services/locked_attempt.py",
                "from alertops.escalation.events import Progress\n",
                "from alertops.db import database_now\nfrom alertops.escalation.events import Progress\n",
            ),
            Edit(
                GUARDED,
                "now = func.clock_timestamp\n",
                "def now() -> Any:\n"
                "    return func.clock_timestamp() + literal_column(\"interval '2 seconds'\")\n",
            ),
            Edit(GUARDED, "import func\n", "import func, literal_column\n"),
        ),
    ),
    Mutant(
        "due-from-now",
        "the next step is due its delay after the moment in which this one fired",
        schedule="repeated",
        breaks=("undrifted",),
        edits=(
            Edit(
                MACHINE,
                "    following = plan_step(state.flow, state.course, place, event.step + 1)\n",
                "    following = plan_step(state.flow, state.course, place, event.step + 1)\n"
                "    delay = timedelta(seconds=state.flow.nodes[place.node_index].delay_seconds)\n"
                "    following = replace(following, due_at=now + delay)\n",
            ),
            Edit(
                MACHINE,
                "from datetime import datetime\n",
                "from dataclasses import replace\nfrom datetime import datetime, timedelta\n",
            ),
        ),
    ),
    Mutant(
        "next-step-later",
        "the next step is inserted in a transaction of its own, after the firing has committed",
        schedule="killed",
        breaks=("planned", "fired", "ended"),
        edits=(
            Edit(
                FIRE,
                "    applied = apply(session, seen.execution, decision)\n"
                "    if decision.reason is not Reason.DUE",
                "    first = replace(decision, effects=decision.effects[:1])\n"
                "    applied = apply(session, seen.execution, first)\n"
                "    if decision.reason is not Reason.DUE",
            ),
            Edit(
                FIRE,
                "    reach(Point.AFTER_FIRE, session)\n",
                "    reach(Point.AFTER_FIRE, session)\n"
                "    later = replace(decision, effects=decision.effects[1:])\n"
                "    applied = apply(session, seen.execution, later)\n"
                "    session.commit()\n",
            ),
            Edit(
                FIRE,
                "annotations\n\nfrom datetime import datetime, timedelta\n",
                "annotations\n\nfrom dataclasses import replace\nfrom datetime import datetime, timedelta\n",
            ),
        ),
    ),
    Mutant(
        "unreached-waits",
        "where nobody could be reached, the wrong step is looked at for bringing forward",
        schedule="dropped",
        breaks=("escalated",),
        edits=(
            Edit(
                MACHINE,
                "    if escalate and waiting.number == step + 1 and waiting.due_at > now:\n",
                "    if escalate and waiting.number == step and waiting.due_at > now:\n",
            ),
        ),
    ),
    Mutant(
        "next-recipient",
        "an index off by one: a step tells the recipient of the node after its own",
        schedule="repeated",
        breaks=("addressed",),
        edits=(
            Edit(
                FIRE,
                "    node = seen.state.node_of(step.number)\n    resolved",
                "    node = seen.state.node_of(step.number + 1)\n    resolved",
            ),
        ),
    ),
    Mutant(
        "newest-revision",
        "an execution goes on as its flow is now, and not as it was when it began",
        schedule="repeated",
        breaks=("planned", "undrifted", "addressed"),
        edits=(
            Edit(
                LOCK,
                "    flows = read_flows(",
                "    newest = select(func.max(FlowRevision.number)).where("
                "FlowRevision.flow_id == execution.flow_id)\n"
                "    wanted.add(session.scalar(newest))\n"
                "    flows = read_flows(",
            ),
            Edit(LOCK, "import bindparam, select\n", "import bindparam, func, select\n"),
            Edit(LOCK, "import Execution, Step\n", "import Execution, FlowRevision, Step\n"),
            Edit(
                LOCK,
                "        flow=flows[revision_run(execution)],\n",
                "        flow=flows[max(number for number in flows if number is not None)],\n",
            ),
        ),
    ),
    Mutant(
        "checks-then-inserts",
        "an alert looks for an open execution with its key, and then inserts one",
        schedule="repeated",
        breaks=("one execution",),
        besides="the unique index on open keys",
        edits=(
            Edit(
                OPEN_OR_JOIN,
                "    alerts = [group.alert for group in groups]\n",
                "    taken = lock_open(session, [group.key for group in groups if group.key], team_id)\n"
                "    groups = [group for group in groups if group.key not in taken]\n"
                "    alerts = [group.alert for group in groups]\n",
            ),
            Edit(
                OPEN_OR_JOIN,
                '        .on_conflict_do_nothing(\n            index_elements=["flow_id", "dedup_key"],\n'
                '            index_where=text(f"dedup_key IS NOT NULL AND status IN ({_OPEN})"),\n'
                "        )\n",
                "",
            ),
        ),
        statements=("DROP INDEX uq_executions_open_dedup_key",),
    ),
    Mutant(
        "start-left-to-dispatch",
        "a start is published before it is committed, and committed by the dispatch",
        schedule="cut off",
        breaks=("accepted",),
        edits=(
            Edit(
                BEGIN,
                "    session.commit()\n    if opened:\n",
                # Without the last lines the answer would be read from rows that are gone, and be a 500.
                "    session.flush()\n    for execution in opened:\n        session.expunge(execution)\n"
                "    if opened:\n",
            ),
        ),
    ),
)
