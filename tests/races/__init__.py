"""Raced pairs: acknowledge and claim, started together on one execution after another, on a real Postgres.

::

    pairs.py    executions with one attempt each, prepared in bulk, and how they look after the race
    racers.py   what races: the real services, and a claim that is known to be unsafe, as the control
    lane.py     threads that are let go together, pair after pair, so that each of them wins half of it
    judge.py    the histories that a pair may have had; whatever fits none is a broken promise
    run.py      many lanes in several processes

No clock of a client decides who was first. Each racer says what it saw of the other, and the rows say
what the database made of both.
"""
