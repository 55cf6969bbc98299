"""What people run: a client of the API over HTTP, which knows nothing that the API does not tell.

    shell.py       what every command is given: the API, the team, and how to answer
    api.py         one request: time limits, problems -> errors with an exit code
    errors.py      those errors; exits.py is the list of codes
    credentials.py who is asking: from the environment, or from a login
    store.py       the file that keeps a login
    output.py      text for people, JSON for programs; nothing that somebody typed can steer the terminal
    instants.py    times and waits as people write them

One command, or one group of commands, a module. No secret is ever an argument: others on the machine could
read it.
"""
