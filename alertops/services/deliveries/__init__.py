"""Events on their way to subscribers: from an entry of a timeline to the machine that is told of it.

::

    entry of a timeline ──trigger, in its transaction──▶ event_deliveries ──COMMIT──▶ wake-up ─▶ send.events
                                                                                                     │
    next of the line ◀─wake-up─ recorded ◀─ posted ◀─ claimed ◀─ host has a place ◀─ first of its line?

announced.py             the database tells which rows it wrote, without being asked; `dispatch.py` wakes them
standing.py              how a delivery stands: to be sent, not yet, behind another, for nobody, over
send_delivery.py         one is sent: claimed, posted, recorded; then the next of its line is woken
record_delivery.py       how it ended, and what follows: another try, the next one, an end
delivery_transitions.py  every change of its state, guarded
host_places.py           a host that hangs has a few threads of a worker, and not all

A line is what one subscription is to be told of one execution. Within a line the order is kept: one goes when
none before it is left. Different lines go side by side.
"""
