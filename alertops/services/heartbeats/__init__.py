"""Heartbeats: jobs that ping, and start a flow when they do not.

make_heartbeat.py         a team wants to be told of a job's silence
change_heartbeat.py       what is expected changes; it is paused and resumed, gets another key, or is deleted
ping_heartbeat.py         the job says that it is well
check_heartbeat.py        a wake-up looks whether it did so in time
heartbeat_transitions.py  the states, and every change of one

    ping ─▶ lock ─▶ due later ─▶ COMMIT               a wake-up is on its way: nothing is published
                                                          │
    wake-up ─▶ lock ─┬─ due later: the next wake-up ◀─────┘
                     └─ not pinged: missing, its execution begins ─▶ COMMIT ─▶ dispatch

Lock order: the heartbeat's row before flows and executions; a team's row before it.
"""
