"""Mutants of waking, recovery and settings.

Below most of them lies the search for what is overdue: with it, a wake-up may be lost in any way, and is
repaired within the time that is promised. So it is a mutant of its own, and goes together with others.
"""

from __future__ import annotations

from deploy.chaos.mutants.mutant import Edit, Mutant

RECOVER = "alertops/services/recover.py"
LOST_ROWS = "alertops/services/lost_rows.py"

NO_OVERDUE = Edit(
    LOST_ROWS,
    "        _steps(Loss.OVERDUE, Step.dispatched_at.is_not(None) & late_step),\n"
    "        _attempts(Loss.OVERDUE, Attempt.dispatched_at.is_not(None) & late_attempt),\n",
    "",
)
OVERDUE = "the search for what is overdue, which repairs it in time"
LOST = ("fired", "settled", "ended")

MUTANTS = (
    Mutant(
        "overdue-ignored",
        "recovery trusts the broker: what was dispatched is not looked for",
        schedule="purged",
        breaks=LOST,
        edits=(NO_OVERDUE,),
    ),
    Mutant(
        "undispatched-ignored",
        "recovery does not look for rows whose wake-up was never published",
        schedule="cut off",
        breaks=LOST,
        edits=(
            Edit(
                LOST_ROWS,
                "        _steps(Loss.NEVER_DISPATCHED, _never_dispatched(Step, grace)),\n"
                "        _attempts(Loss.NEVER_DISPATCHED, _never_dispatched(Attempt, grace)),\n",
                "",
            ),
        ),
    ),
    Mutant(
        "leases-for-ever",
        "recovery does not look for leases that have expired",
        schedule="frozen",
        breaks=("settled", "ended"),
        edits=(
            Edit(
                LOST_ROWS,
                "        _leases(Loss.LEASE_EXPIRED, late_lease),\n",
                "",
            ),
        ),
    ),
    Mutant(
        "marked-first",
        "rows are marked as dispatched before they are published",
        schedule="cut off",
        breaks=LOST,
        besides=OVERDUE,
        edits=(
            Edit(
                "alertops/services/dispatch.py",
                "        confirmed = self._publisher.publish(",
                "        self._mark(session, wake_ups, moment.at, recovering=recovering)\n"
                "        confirmed = self._publisher.publish(",
            ),
            NO_OVERDUE,
        ),
    ),
    Mutant(
        "unroutable-confirmed",
        "messages are published without `mandatory`: what no queue has taken counts as confirmed",
        schedule="purged",
        breaks=LOST,
        edits=(Edit("tasks/publisher.py", "            mandatory=True,\n", ""),),
    ),
    Mutant(
        "not-when-reconnected",
        "recovery runs when a worker is ready, and neither at a reconnection nor on a tick",
        schedule="wiped",
        breaks=LOST,
        besides="the tick: with it the reconnection is not needed",
        edits=(
            Edit(
                "tasks/bootsteps.py",
                '        request_recovery("connected")\n'
                "        seconds = resources().timing.recovery_tick\n"
                "        if seconds:\n"
                "            self._tick = parent.timer.call_repeatedly("
                'seconds, request_recovery, ("tick",))\n',
                "        return\n",
            ),
        ),
    ),
    Mutant(
        "epoch-ignored",
        "a broker that was emptied passes for the one that had everything",
        schedule="wiped",
        breaks=LOST,
        besides=OVERDUE,
        edits=(
            Edit(RECOVER, "        _fill_emptied_broker(run, marker)\n        for", "        for"),
            NO_OVERDUE,
        ),
    ),
    Mutant(
        "acknowledged-early",
        "messages are acknowledged when their task begins",
        schedule="killed",
        breaks=LOST,
        besides=OVERDUE,
        edits=(
            Edit("celeryconfig.py", "task_acks_late = True\n", "task_acks_late = False\n"),
            NO_OVERDUE,
        ),
    ),
    Mutant(
        "commits-unflushed",
        "sessions are told not to wait for the disk, so that a commit is answered before it is safe",
        schedule="database",
        breaks=("accepted", "answered", "one execution"),
        edits=(
            Edit(
                "alertops/db.py",
                'ASK_ONCE = "; ".join(',
                'ASK_ONCE = "SET synchronous_commit = off; " + "; ".join(',
            ),
        ),
    ),
)
