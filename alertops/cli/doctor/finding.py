"""What was looked at, how it was found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

# How long any one server may take to answer.
ANSWER_SECONDS = 5


@dataclass(frozen=True)
class Finding:
    """`advice` is what to do; None when all is well."""

    about: str
    found: str
    advice: str | None = None

    @property
    def ok(self) -> bool:
        return self.advice is None


def one_line(error: BaseException) -> str:
    """An error's own words, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
