"""What monitoring systems tell of, becomes executions and answers.

receive_events.py    all events of a request, in one transaction
find_unresolved.py   what an acknowledge or a resolve is for
record_change.py     a change is recorded, and alerts nobody
dry_run.py           what would become of a request, and by which rules
"""
