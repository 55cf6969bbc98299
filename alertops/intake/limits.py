"""How much one request may bring. Beyond it there is a clear answer, and nothing half taken."""

from __future__ import annotations

MAX_EVENTS = 1000  # in one request, which is one transaction
MAX_LEVELS = 20  # of objects and arrays within a body
MAX_RULES = 50  # of one integration
MAX_LABELS = 500  # of one event
MAX_TEXT = 1024  # characters of a summary
MAX_KEY = 255  # characters of a key by which events are told apart
