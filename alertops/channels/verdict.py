"""What a machine's answer says of the message that was put to it.

::

    2xx                          delivered
    408, 425, 429, 5xx           not taken, and may pass; not before `Retry-After`, if they say
    502, 504                     a gateway's word, which does not know: perhaps taken
    410                          not taken for good, nor what would come later: it is gone
    any other 3xx or 4xx         not taken for good; redirects are not followed
"""

from __future__ import annotations

from alertops.channels.base import Certainty, ChannelError
from alertops.channels.http_exchange import Answer
from alertops.channels.retry_after import retry_after

_MAY_PASS = frozenset({408, 425, 429})
_GONE = 410
_FROM_A_GATEWAY = frozenset({502, 504})


def refusal(answer: Answer, told: str) -> ChannelError | None:
    """What the answer means, in these words; None when the message was taken."""
    later = retry_after(answer.headers)
    match answer.status // 100:
        case 2:
            return None
        case 3:
            return ChannelError(told, permanent=True)
        case 4:
            permanent = answer.status not in _MAY_PASS
            gone = answer.status == _GONE
            return ChannelError(told, permanent=permanent, not_before_seconds=later, gone=gone)
        case 5 if answer.status not in _FROM_A_GATEWAY:
            return ChannelError(told, not_before_seconds=later)
        case _:
            return ChannelError(told, certainty=Certainty.UNKNOWN, not_before_seconds=later)
