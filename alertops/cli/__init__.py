"""`alertops`, in two halves: what people run is a client of the API (`people/`); what operators run needs a
machine that reaches the database or the broker.

One command a module; each prints its answer on standard output and tells by its exit code how it went.
Commands are named in `main.py`, and imported when they are run.
"""

from alertops.cli.main import main

__all__ = ["main"]
