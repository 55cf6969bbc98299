"""The task that a letter's wake-up runs."""

from __future__ import annotations

from uuid import UUID

import structlog

from alertops.services.dispatch import SEND_LETTER
from alertops.services.letters.send_letter import send_letter
from tasks.app import app
from tasks.holding import WakeUpRequest
from tasks.resources import resources

log = structlog.get_logger(__name__)


@app.task(name=SEND_LETTER, Request=WakeUpRequest)
def send_letter_task(letter_id: str) -> None:
    """Send a letter if it is due and free."""
    here = resources()
    with structlog.contextvars.bound_contextvars(letter=letter_id):
        with here.sessions() as session:
            outcome = send_letter(session, here.dispatcher, here.post, here.timing, UUID(letter_id))
        log.debug("woken", outcome=outcome.value if outcome else "nothing to send")
