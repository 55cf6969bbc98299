"""What is over is deleted when it is old enough (`alertops prune`).

`over.py` says of each table that grows which rows are over; `prune.py` deletes them, a few at a time.
Which tables grow, and who bounds each of them, is told in `docs/retention.md`.
"""
