"""The verbs, one a file: load and lock, decide, apply, and after the commit dispatch.

An alert's way:

    start_executions.py  alerts become executions with their first steps waiting; start_execution.py: one does
    gather_starts.py     those that come at the same moment, in requests of their own, start together
    fire_step.py         a step that came due fires: its recipient resolves (recipients.py) to attempts
    send_attempt.py      an attempt is claimed, sent and recorded
    acknowledge.py       somebody took it: silence; resolve.py: it is over
    operate.py           the one path of these and of cancel, snooze, unsnooze, escalate, reassign and rebase
    fire_timer.py        it comes back, or is resolved, when nobody did anything by then
    replay.py            the same alert once more; add_note.py: what people write beside it
    backlog.py           whether what is overdue stands in a queue, or is lost
    broker_epoch.py      whether the broker still has our messages, or is an empty one
    recover.py           what should have fired and did not is dispatched again;
    lost_rows.py         which rows these are
    recovery_record.py   what recovery leaves behind: totals, and when it last got through
    count_events.py      what the timelines tell is added up; happened.py: and read
    dispatch_failures.py wake-ups that the broker did not take, counted
    measure.py           figures for whoever watches, at a bounded cost
    dispatch.py          wake-ups are published after the commit, and marked when confirmed
    transitions/         every UPDATE of a state, guarded; "no row" is an answer
    lock.py              the row lock of an execution, and what is read under it;
    under_lock.py        both in one round trip, for what every step does:
    locked_step.py       all that a firing needs to know
    locked_attempt.py    all that a claim or an outcome needs to know
    frozen_flows.py      what revisions say, remembered

Beside it, each with a page of its own:

    flows/               how alerts escalate, and what was said before
    access/              who acts, and what they may see and do
    teams/               members, roles and keys
    invitations/         people who are not in a team, or not yet
    accounts/            people's own accounts
    letters/             mails about accounts and teams
    integrations/        ways in for monitoring systems; intake/: what they bring
    subscriptions/       machines that are told what happens to executions, as a team keeps them
    deliveries/          what they are told, on its way
    heartbeats/          jobs that ping, and start a flow when they do not
    maintenance/         times in which nobody is told
    storms/              alerts of one group are one execution

Lock order, everywhere: the execution row first, in a statement of its own, then steps, then attempts.
Before them, where they are locked: the account's row, the team's, a heartbeat's, then the flow's or the
invitation's.
No lock is held during network I/O.
"""
