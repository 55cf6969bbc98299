"""The doors: where monitoring systems bring what they have to tell. Each speaks as its peers expect.

door.py          what all of them do: the body within bounds, the key, the wall, the answer
pagerduty.py     /v2/enqueue and /v2/change/enqueue, where PagerDuty's clients look for them
webhooks.py      /integrations/<kind>[/<key>]: Alertmanager, Grafana, CloudEvents, and anything else
pings.py         /heartbeats/<key>: jobs that say that they are well
"""
