"""docs/retention.md says of every table who bounds it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alertops.db import Base
from alertops.services.retention.over import Ages, sweeps

_ROW = re.compile(r"^\| `(\w+)` \|[^|]+\| ([^|]*)\|$", re.MULTILINE)
BOUNDED_BY = dict(_ROW.findall(Path("docs/retention.md").read_text()))


def test_every_table_is_told_of() -> None:
    """A new one: does it grow? Then who bounds it? `services/retention/over.py` may be the place."""
    assert set(BOUNDED_BY) == set(Base.metadata.tables)


def test_what_prune_deletes_from_is_told() -> None:
    swept = sweeps(Ages(timedelta(days=90), timedelta(days=400)), datetime.now(UTC))
    told = {table for table, who in BOUNDED_BY.items() if "prune" in who}
    assert told == {sweep.id.class_.__tablename__ for sweep in swept}
