"""The floor: what this machine can do at all, by programs that are as small as they can be.

    parts.py       durable commits, confirmed publishes, deliveries, SMTP conversations: each alone
    accept.py      an HTTP server that commits and publishes each alert
    escalate.py    workers that commit, publish and mail as often as a step has to

They are written in Python too, with the same drivers: what they leave out is everything that makes an
escalation correct.
"""
