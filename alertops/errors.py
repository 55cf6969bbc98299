"""What can go wrong, as types. Each says what happened; `retryable` says whether trying again helps."""

from __future__ import annotations

from typing import Any


class AlertOpsError(Exception):
    """Something went wrong that a caller can be told about."""

    retryable = False


class ConfigurationError(AlertOpsError):
    """The environment does not describe a working process; `problems` names every fault at once."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("the configuration is not usable:\n" + "\n".join(f"  - {p}" for p in problems))


class SigningKeysError(AlertOpsError):
    """The file of keys that sign tokens cannot be used; the sentence never quotes what is in it."""


class SecretsError(AlertOpsError):
    """A secret that we keep cannot be opened; the sentence names the key that it takes, by its hash."""

    retryable = True


class NotFoundError(AlertOpsError):
    """There is no such object, or none that this caller may see."""


class GoneError(AlertOpsError):
    """What was shown was good once, and is not any more."""


class ForbiddenError(AlertOpsError):
    """The caller may see the object, but not do this with it; `facts` says what they are there."""

    def __init__(self, detail: str, **facts: Any) -> None:
        self.facts = facts
        super().__init__(detail)


class ConflictError(AlertOpsError):
    """The object's present state does not allow this; `facts` says what the state is."""

    def __init__(self, detail: str, **facts: Any) -> None:
        self.facts = facts
        super().__init__(detail)


class StaleError(AlertOpsError):
    """The object was changed since the caller read it; `version` is the one that it has now."""

    def __init__(self, detail: str, version: str) -> None:
        self.version = version
        super().__init__(detail)


class InvalidInputError(AlertOpsError):
    """Values are well-formed but not acceptable; each fault is a JSON pointer and what is wrong there."""

    def __init__(self, pointer: str, detail: str, *more: tuple[str, str]) -> None:
        self.faults = [(pointer, detail), *more]
        super().__init__(detail)


class AuthenticationError(AlertOpsError):
    """The caller did not prove who they are."""


class ThrottledError(AlertOpsError):
    """Too much was tried lately; after `retry_after` seconds the next try is let through."""

    retryable = True

    def __init__(self, retry_after: int, of: str = "tries") -> None:
        self.retry_after = retry_after
        super().__init__(f"Too many {of}. The next one is let through in {retry_after} s.")


class BrokerUnavailableError(AlertOpsError):
    """The broker did not take the messages in time; the rows wait for recovery."""

    retryable = True
