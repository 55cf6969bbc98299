"""AlertOps: escalation that stays correct when time and failure are unavoidable.

An alert's journey, file by file::

    api/views/executions.py          an alert comes in over HTTP
    services/start_executions.py     it is committed as an execution with its first step waiting
    services/dispatch.py             the step's wake-up is published after the commit
    tasks/delay.py                   it waits in the broker until the step is due
    tasks/fire_step.py               it wakes a worker,
    services/fire_step.py            which fires the step: attempts, and the next step, are inserted
    tasks/send_attempt.py            an attempt's wake-up wakes a sender,
    services/claim_attempt.py        which claims it,
    services/send_attempt.py         speaks to the provider up to the point of no return, marks, transmits,
    channels/email.py
    services/record_outcome.py       and records the outcome, with the retry or escalation that follows
    services/acknowledge.py          somebody takes it: silence
    services/answer_by_mail.py       with the link that the mail brought, perhaps (api/views/answer_page.py)
    services/recover.py              whatever should have been woken and was not is woken again

What is decided on the way is in `escalation/machine.py`; what makes each step of it safe, in
`services/transitions/`.
"""
