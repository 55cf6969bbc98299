"""The demo: real alerts on the real path, through faults, with a verdict over what was received.

scenario.py   the flow, the mailboxes and how they misbehave, the alerts
story.py      what happens when: alerts, a SIGKILL, an acknowledge, a resolve
screen.py     the timelines, live and at the end
__main__.py   starts everything, lets the story run, checks the promises, stops everything
"""
