"""The nodes of the broker: which of them a new connection asks first.

`ALERTOPS_BROKER_URL` names one address, or several, with semicolons between them. kombu goes through several
by itself where it may take its time, as a worker does. A publisher and a question have a second or two for
all of it, and begin anew each time: without a memory they would spend it on the same lost node every time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from amqp.exceptions import AMQPError
from celery import Celery
from kombu.exceptions import KombuError

BROKER_ERRORS = (OSError, AMQPError, KombuError)
BETWEEN = ";"

T = TypeVar("T")


class Nodes:
    """Remembers which node let us in. Shared by threads: at worst one of them asks in an order of before."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = tuple(urls)

    def connect(self, connect: Callable[[str, float], T], seconds: float) -> T:
        """What `connect` gives, of the first node that lets us in, each with its part of the time.

        Raises what the last one failed with.
        """
        urls = self._urls
        for url in urls[:-1]:
            try:
                return connect(url, seconds / len(urls))
            except BROKER_ERRORS:
                # Whoever comes next does not wait for the one that is lost.
                self._ask_last(url)
        return connect(urls[-1], seconds / len(urls))

    def _ask_last(self, lost: str) -> None:
        self._urls = (*(url for url in self._urls if url != lost), lost)


@cache
def _nodes(broker_url: str) -> Nodes:
    return Nodes(broker_url.split(BETWEEN))


def nodes(app: Celery) -> Nodes:
    """Those of the application's broker; all who ask share what one of them has found out."""
    url = app.conf.broker_write_url
    return _nodes(url if isinstance(url, str) else BETWEEN.join(url))


def in_any_order(broker_url: str) -> str:
    """The same nodes, so that of many processes some begin with each."""
    urls = broker_url.split(BETWEEN)
    return BETWEEN.join(random.sample(urls, len(urls)))  # nosec B311  who comes first is no secret
