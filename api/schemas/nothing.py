"""The body of a request that says all it has to say by its route."""

from __future__ import annotations

from marshmallow import Schema


class NothingInput(Schema):
    """No members: the body may be left out, and what is in it is refused."""
