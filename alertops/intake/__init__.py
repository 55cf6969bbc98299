"""What monitoring systems send, as events of one shape. PURE: bytes and JSON in, events or faults out.

    document.py      bytes -> JSON that can be stored, or why not
    event.py         an event: trigger, acknowledge or resolve, under a key
    pagerduty.py     PagerDuty's Events API v2
    prometheus.py    the webhooks of Alertmanager, and of Grafana, which grew out of it
    generic.py       anything, read as a mapping says: mapping.py
    cloudevents.py   CloudEvents 1.0, in the body or in headers
    read.py          what was sent, as its kind is read
    signature.py     who signed it, and when
    words.py         other systems' severities and states, in ours
    routing.py       which flow an event is for
    grouping.py      which alerts of a flow belong together

Nothing here knows teams, keys or tables: `services/intake/` does, and `api/views/intake/` are the doors.
"""
