"""The bytes of a request, as JSON that can be read and stored; or why not.

Senders are machines, and what they send is an alert: where a text holds what Postgres cannot store, it is
stored without that. What cannot be read in one way only is refused.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from alertops.intake.limits import MAX_LEVELS

# What JSON can say and a text of Postgres cannot hold: NUL, and halves of surrogate pairs.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class UnreadableError(Exception):
    """The body is not JSON, or not JSON that means one thing; the sentence says why."""


def read_document(raw: bytes) -> Any:
    """The JSON value that the bytes are."""
    try:
        document = json.loads(
            raw.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_each_name_once,
        )
    except RecursionError as error:
        raise UnreadableError("The body is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"The body is not UTF-8: byte {error.start} is {error.reason}.") from error
    # Also an integer of more digits than Python converts.
    except ValueError as error:
        raise UnreadableError(f"The body is not JSON: {error}.") from error
    return _storable(document, MAX_LEVELS)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _each_name_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(members)
    if len(named) < len(members):
        raise ValueError("an object has two members of the same name")
    return named


def _storable(value: Any, levels: int) -> Any:
    """The value, with a replacement mark for each character that cannot be stored."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise UnreadableError(f"The body is nested more than {MAX_LEVELS} levels deep.")
    if isinstance(value, list):
        return [_storable(inner, levels - 1) for inner in value]
    return {UNSTORABLE.sub("\ufffd", name): _storable(inner, levels - 1) for name, inner in value.items()}
