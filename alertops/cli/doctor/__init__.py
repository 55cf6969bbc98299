"""`alertops doctor`: is everything there that AlertOps needs, and what is to be done if not?

One file for each part that is asked; each gives findings (`finding.py`), and lets none of its errors out.
It reads and listens: no message is published, no mail is sent, no row is written.
"""
