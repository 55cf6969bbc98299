"""`python -m alertops.cli`, where the entry point is not installed."""

from alertops.cli import main

main(prog_name="alertops")
