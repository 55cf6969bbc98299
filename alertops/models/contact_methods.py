"""How somebody wants to be told: a list that is read and written whole."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from alertops.db import Base
from alertops.escalation.contact import MAX_METHODS


class ContactMethods(Base):
    """One row for who has said something; `escalation/contact.py` reads the list."""

    __tablename__ = "contact_methods"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    methods: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)

    __table_args__ = (
        CheckConstraint(
            f"jsonb_typeof(methods) = 'array' AND jsonb_array_length(methods) <= {MAX_METHODS}",
            name="methods",
        ),
    )
