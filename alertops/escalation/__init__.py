"""The pure core: what an escalation does, as functions of what is known and what time it is.

Standard library only, no I/O, no clock: `now` is passed in. That is what lets the same code plan a
timeline for a preview, drive the engine, and be tested with a million made-up histories a minute.

    states.py    the words: the states of executions, steps and attempts
    flow.py      a flow as data: nodes, recipients, retry policies; to and from JSON
    recipients.py  a recipient, one or several at once; contact.py and quiet.py: people's ways, and when not
    hours.py     hours that come again, by a clock on the wall
    plan.py      flow + course -> the exact timeline of steps, and what comes next
    state.py     what is known of an execution when something happens to it
    backoff.py   how long to wait before attempt n
    machine.py   decide(state, event, now) -> Decision: which transition, which effects, and why
    operations.py  what people ask for: from which states, and what follows; table.py prints it
    preview.py   the machine, run in memory from the alert to its end
    lint.py      what is allowed in a flow, and hardly meant

Who may act (which worker claims, whose outcome counts) is not decided here: that is a race, and the
database settles it in `alertops.services.transitions`.
"""
