"""Histories on a real Postgres, transaction by transaction, with the pure machine as the oracle.

::

    strands.py     a worker in a thread, which stops where it is told to: in a transaction, or between two
    outside.py     a broker with moods, and whom a recipient stands for
    moves.py       what two workers and a person can do
    oracle.py      what the machine says of it
    playground.py  moves alone, in pairs of which one waits, or cut off; and a look at every row after each

`tests/integration/test_stateful.py` draws the histories.
"""
