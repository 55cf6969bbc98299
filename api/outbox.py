"""What a request has told subscribers of, and woken nobody for, is dispatched when it is answered.

Whoever dispatches what follows from a change wakes the deliveries with it (`Dispatcher.dispatch`). But a note
is followed by nothing, and neither is an address that asks for silence.
"""

from __future__ import annotations

from flask import Flask, Response

from alertops.services.deliveries.announced import is_announced
from api.extensions import dispatcher, session


def init_outbox(app: Flask) -> None:
    """Make the application look after each request."""
    app.after_request(_dispatch_the_rest)


def _dispatch_the_rest(response: Response) -> Response:
    here = session()
    if is_announced(here):
        # What was read for the answer since the commit.
        here.rollback()
        dispatcher().dispatch(here, [])
    return response
