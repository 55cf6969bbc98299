"""The Celery side: what wakes up, and how.

app.py          the application; `celery -A tasks worker ...` finds it here
queues.py       the queues and the dead-letter queue behind them
delay.py        how a message waits in the broker until it is due
brokers.py      which of a cluster's nodes is asked first
connection.py   a connection to ask the broker something
holding.py      how long a worker holds one for the last fraction of a second, whatever its clock says
epoch.py        the marker queue that tells a broker with our messages from an empty one
circuit.py      a broker that fails repeatedly is left alone for a while
publisher.py    publishing with pipelined confirms; nothing unroutable is lost in silence
readable.py     a wake-up's key in words, for people
gathering.py    a batch is written to the socket in a few large pieces
depths.py       how many messages wait in each queue, for recovery and for /metrics
fire_step.py    thin tasks: take a key, call one service
fire_timer.py
check_heartbeat.py
send_attempt.py
send_delivery.py
send_letter.py
recover.py
resources.py    what a worker process opens once: database, publisher, channels
consumer.py     a consumer that looks for its broker often
canary.py       messages that a worker sends to itself: does it still hear its queues?
hearing.py      what it heard, and when it must be taken for deaf
watch.py        sends them, and ends a worker that is deaf
roll_call.py    which workers answer, and what they hear
poison.py       a task that raises is tried a few times, then set aside
bootsteps.py    recovery at every connection to the broker, and on a slow tick
leaving.py      a worker that is told to leave gives back what it has not begun
dead_letters.py what was set aside: look, retry, drop
signals.py      logs; recovery when a worker is ready
"""

from tasks.app import app

__all__ = ["app"]
