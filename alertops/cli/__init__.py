"""`alertops`: what an operator runs on a machine that can reach the database.

One command a module; each prints its answer on standard output and tells by its exit code how it went.
"""

from alertops.cli.main import main

__all__ = ["main"]
