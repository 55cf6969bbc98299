"""The verbs, one a file: load and lock, decide, apply, and after the commit dispatch.

    start_execution.py   an alert becomes an execution with its first step waiting
    edit_flow.py         a flow is changed: its next revision, for the alerts from then on
    archive_flow.py      it is put away and starts nothing more; restore_revision.py: it is as it was
    lock_flow.py         its row lock, and whether it is the version that the editor has seen
    fire_step.py         a step that came due fires: its recipient resolves to attempts
    send_attempt.py      an attempt is claimed, sent and recorded
    acknowledge.py       somebody took it: silence; resolve.py: it is over
    backlog.py           whether what is overdue stands in a queue, or is lost
    broker_epoch.py      whether the broker still has our messages, or is an empty one
    recover.py           what should have fired and did not is dispatched again
    recovery_record.py   what recovery leaves behind: totals, and when it last got through
    measure.py           figures for whoever watches, at a bounded cost
    dispatch.py          wake-ups are published after the commit, and marked when confirmed
    transitions.py       every UPDATE of a state, guarded; "no row" is an answer

Lock order, everywhere: the execution row first, in a statement of its own, then steps, then attempts.
A flow's row, where one is locked, comes before all of them.
No lock is held during network I/O.
"""
