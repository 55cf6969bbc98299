"""Telling a person what takes time."""

from collections.abc import Callable

Report = Callable[[str], None]
"""Takes one sentence about something that will take more than a second."""


def silent(_sentence: str) -> None:
    """The report of callers that have nobody to tell."""
