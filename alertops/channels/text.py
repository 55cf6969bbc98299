"""Foreign text made fit for one line of a header, a body or the timeline."""

import re

# What ends a line somewhere (the C0 and C1 controls, U+2028, U+2029), and lone surrogates, which no
# encoding can carry. Joiners and direction marks stay: emoji and right-to-left names need them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def one_line(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters; a cut shows as an ellipsis.

    Each run of control characters becomes one space, so that no text can begin a new line.
    """
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
