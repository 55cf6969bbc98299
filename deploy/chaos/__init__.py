"""The real fleet under faults, with clients that remember what they were told, and then the verdict.

profiles.py     how long a run is, and what is in it
alerts.py       which flows and alerts there are, and who answers them when: from a seed
schedule.py     which faults there are, in bursts with calm between them: from the same seed
proxy.py        a link between two programs that can be cut, slowed and frozen
system.py       the stack, the fleet and the links between them
clock.py        programs whose wall clock is wrong, by a library that they are started with (clock.c)
mailboxes.py    mailboxes that refuse, hang and drop, as usual or all of them at once
machines.py     the same of machines that are told by webhook
points.py       faults at exactly the places of the protocol where they hurt most
faults.py       each other kind of fault: what it does, and when it is over
link_faults.py  those of the network
provider_faults.py  those of the mail server and the machines
injector.py     carries the schedule out, and logs each fault
undisturbed.py  a steady rate of alerts before the first fault, and how late they are
clients.py      users of the API, and their history of what was answered
operations.py   what they do about executions beside raising alerts: snooze, reassign, rebase and the rest
patience.py     how they try again after an error
editors.py      people who change the flows meanwhile, and what they were answered
calm.py         by when something must have happened, given the faults
claims.py       the clients' history held against the database
courses.py      what timelines say of the course of executions, for that
figures.py      what it amounts to, in numbers
report.py       the figures, as a table and as JSON
run.py          all of it in order
mutants/        would it find a bug? planted ones, and whether they were caught
"""
