"""Mutants of claiming, sending and recording."""

from __future__ import annotations

from deploy.chaos.mutants.mutant import Edit, Mutant

MACHINE = "alertops/escalation/machine.py"
ATTEMPTS = "alertops/services/transitions/attempts.py"
OUTCOME = "alertops/services/record_outcome.py"
MAILER = "alertops/channels/mailer.py"

NO_CANCELLED_ATTEMPTS = Edit(
    "alertops/services/apply.py",
    "            transitions.cancel_scheduled_attempts(session, execution.id)\n",
    "",
)

MUTANTS = (
    Mutant(
        "two-claims",
        "a claim neither locks the execution nor looks at what has become of the attempt",
        schedule="repeated",
        breaks=("once",),
        besides="row lock and guarded UPDATE: each alone is enough",
        edits=(
            Edit("alertops/services/lock.py", "    .with_for_update(key_share=True)\n", ""),
            Edit("alertops/services/under_lock.py", "\n    .with_for_update(key_share=True),\n", ",\n"),
            Edit(ATTEMPTS, "    .where(_IS, _SEEN, _DUE | _ABANDONED)\n", "    .where(_IS)\n"),
        ),
    ),
    Mutant(
        "unfenced",
        "mark and outcome are written by key, without the claim number",
        schedule="frozen",
        breaks=("once",),
        edits=(
            Edit(
                ATTEMPTS,
                "        _IS,\n        _SENDING,\n        _SEEN,\n        _LEASE,\n"
                '        _ATTEMPTS.c.lease_until >= now() + bindparam("needed", type_=Interval),\n',
                "        _IS,\n",
            ),
            Edit(ATTEMPTS, "_SCHEDULED | _SENDING, _SEEN, _LEASE)", "_SCHEDULED | _SENDING)"),
        ),
    ),
    Mutant(
        "repeat-unsaid",
        "a lease that expired after the mark is claimed again as if nothing had been sent",
        schedule="killed",
        breaks=("once", "held"),
        edits=(
            Edit(
                MACHINE,
                "    if event.transmitted:\n"
                "        return Decision(Reason.RESEND, (ClaimAttempt(may_repeat=True),))\n",
                "",
            ),
        ),
    ),
    Mutant(
        "unknown-unsaid",
        "a send that the mail server left open is tried again without saying so",
        schedule="repeated",
        breaks=("once",),
        edits=(
            Edit(
                MACHINE,
                "RetryAttempt(number, due_at, event.may_repeat or uncertain)",
                "RetryAttempt(number, due_at, event.may_repeat)",
            ),
        ),
    ),
    Mutant(
        "hold-ignored",
        "`hold` is forgotten where a send was left open: it is tried again",
        schedule="dropped",
        breaks=("held",),
        edits=(
            Edit(
                MACHINE,
                "    if event.permanent or (uncertain and node.on_unknown is OnUnknown.HOLD):\n",
                "    if event.permanent:\n",
            ),
        ),
    ),
    Mutant(
        "retry-early",
        "a retry is sent when it is woken, without a look at its pause",
        schedule="dropped",
        breaks=("not early",),
        besides="the guard in the UPDATE, which looks at the due time as well",
        edits=(
            Edit(
                MACHINE,
                "    if event.due_at > now:\n"
                "        return Decision(Reason.EARLY, (WakeAgain(event.due_at),))\n"
                "    return Decision(Reason.DUE, (Claim",
                "    return Decision(Reason.DUE, (Claim",
            ),
            Edit(
                ATTEMPTS,
                "_DUE = _SCHEDULED & (_ATTEMPTS.c.due_at <= now())\n",
                "_DUE = _SCHEDULED\n",
            ),
        ),
    ),
    Mutant(
        "retry-later",
        "a retry is inserted in a transaction of its own, after the failure has committed",
        schedule="killed",
        breaks=("retried", "ended"),
        edits=(
            Edit(
                OUTCOME,
                "    applied = apply(session, seen.execution, decision, attempt=seen.attempt)\n",
                "    later = tuple(e for e in decision.effects if isinstance(e, RetryAttempt))\n"
                "    others = tuple(e for e in decision.effects if e not in later)\n"
                "    first = replace(decision, effects=others)\n"
                "    applied = apply(session, seen.execution, first, attempt=seen.attempt)\n",
            ),
            Edit(
                OUTCOME,
                "    reach(Point.AFTER_OUTCOME, session)\n",
                "    reach(Point.AFTER_OUTCOME, session)\n"
                "    retry = replace(decision, effects=later, to=None)\n"
                "    retried = apply(session, seen.execution, retry, attempt=seen.attempt)\n"
                "    applied.wake_ups.extend(retried.wake_ups)\n"
                "    session.commit()\n",
            ),
            Edit(OUTCOME, "import dataclass\n", "import dataclass, replace\n"),
            Edit(OUTCOME, "import Reason\n", "import Reason, RetryAttempt\n"),
        ),
    ),
    Mutant(
        "new-message-id",
        "each attempt has a Message-ID of its own",
        schedule="repeated",
        breaks=("one key",),
        edits=(
            Edit(
                "alertops/services/keys.py",
                '        return f"{self.execution_id}.{self.step}.{self.target}"\n',
                '        return f"{self.execution_id}.{self.step}.{self.target}.{self.attempt}"\n',
            ),
        ),
    ),
    Mutant(
        "shared-message",
        "the channel, which threads share, keeps the message that it is about to send",
        schedule="repeated",
        breaks=("received", "once"),
        edits=(
            Edit(
                MAILER,
                "        wording = _Wording(self._settings.secrets)\n",
                "        wording = _Wording(self._settings.secrets)\n        self._message = message\n",
            ),
            Edit(MAILER, "data_of(bytes(message))", "data_of(bytes(self._message))"),
        ),
    ),
    Mutant(
        "claims-after-answer",
        "an acknowledge leaves scheduled attempts to the claim, which has read the execution before",
        schedule="slowed",
        breaks=("unclaimed",),
        besides="the cancelling of scheduled attempts, which the claim's guard sees",
        edits=(
            Edit(
                "alertops/services/locked_attempt.py",
                "    row = _only(session, _TO_CLAIM, key)\n",
                "    row = _TO_CLAIM._statement.run(session, of_attempt(key)).one_or_none()\n"
                # Longer than it would be, so that somebody answers meanwhile.
                "    session.commit()\n    time.sleep(0.5)\n",
            ),
            Edit(
                "alertops/services/locked_attempt.py",
                "from collections.abc import Mapping\n",
                "import time\nfrom collections.abc import Mapping\n",
            ),
            NO_CANCELLED_ATTEMPTS,
        ),
    ),
    Mutant(
        "sends-after-answer",
        "what was claimed is sent, without a look at whether somebody has answered since",
        schedule="slowed",
        breaks=("silent", "unclaimed"),
        edits=(
            Edit(
                ATTEMPTS,
                "        _GOES_ON,\n",
                "",
            ),
        ),
    ),
)
