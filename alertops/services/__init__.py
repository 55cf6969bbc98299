"""The verbs, one a file: load and lock, decide, apply, and after the commit dispatch.

An alert's way:

    start_execution.py   an alert becomes an execution with its first step waiting
    fire_step.py         a step that came due fires: its recipient resolves to attempts (recipients.py)
    send_attempt.py      an attempt is claimed, sent and recorded
    acknowledge.py       somebody took it: silence; resolve.py: it is over
    backlog.py           whether what is overdue stands in a queue, or is lost
    broker_epoch.py      whether the broker still has our messages, or is an empty one
    recover.py           what should have fired and did not is dispatched again
    recovery_record.py   what recovery leaves behind: totals, and when it last got through
    measure.py           figures for whoever watches, at a bounded cost
    dispatch.py          wake-ups are published after the commit, and marked when confirmed
    transitions.py       every UPDATE of a state, guarded; "no row" is an answer

Flows:

    edit_flow.py         a flow is changed: its next revision, for the alerts from then on
    archive_flow.py      it is put away and starts nothing more; restore_revision.py: it is as it was
    lock_flow.py         its row lock, and whether it is the version that the editor has seen

Who may do what:

    access.py            the one door to what belongs to a team; permissions.py: the table that it asks
    wall.py              behind it, Postgres shows no rows of other teams
    actor.py             who acts: a person, or a program (authenticate_key.py)
    audit.py             what they did is told, in the same transaction; audit_log.py reads it

Teams: create_team.py, rename_team.py, change_role.py, remove_member.py, hand_over.py, delete_team.py (and
cancel_executions.py), make_api_key.py, revoke_api_key.py. locked_team.py is their lock.

People who are not in it, or not yet:

    invite.py            an address is invited; invitation_changes.py: sent again, changed, revoked
    answer_invitation.py yes or no, also before there is an account; take_up_invitations.py: put into effect
    outsiders.py         addresses that are no member's; confirm_outsider.py: yes, stop_alerts.py: no more

Accounts: register_user.py, verify_address.py, reset_password.py, log_in.py, refresh_session.py and the rest
of one's own; limits.py says how often. prove_address.py is where an address becomes somebody's.

Letters, mails about accounts and teams, sent as durably as alerts:

    write_letter.py      a row of the transaction that wants it
    send_letter.py       claimed with a new token (mail_token.py), sent and recorded

Lock order, everywhere: the execution row first, in a statement of its own, then steps, then attempts.
Before them, where they are locked: the account's row, the team's, then the flow's or the invitation's.
No lock is held during network I/O.
"""
