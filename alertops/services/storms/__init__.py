"""Storms: alerts that say the same in what their flow groups by are one execution, for a while.

groupings.py       which flows group alerts, as far as this process has seen
find_hosts.py      which open execution takes an alert in, and which alert opens one that takes in the others
grouped_alerts.py  the alerts of such an execution: listed, repeated, resolved one by one
show_alerts.py     a page of them, for people
storm_entries.py   what its timeline says of them, in few lines

    alerts of flows that group ─▶ lock their groups and keys ─▶ look who takes them in ─▶ the rest opens
                                       ▲                                                    │
                                       └── the flow groups otherwise than this process knew ┘

A flow that groups nothing costs no statement for all this. Which ones do is learned from revisions that are
read anyway; whoever finds that they did not know lets go of everything and begins anew.
"""
