"""Statements over a whole batch: a table that is made of parameters, an array for each column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, bindparam, column, func
from sqlalchemy import cast as sql_cast

# SQLAlchemy keeps the names of columns for itself.
_EACH = "each_"


def wanted_rows(**columns: Any) -> Any:
    """The table, by the types of its columns, with `place` beside them; `arrays` has the values."""
    each = [sql_cast(bindparam(_EACH + name), ARRAY(type_)) for name, type_ in columns.items()]
    named = [column(name, type_) for name, type_ in columns.items()]
    return func.unnest(*each).table_valued(*named, with_ordinality="place").render_derived("wanted")


def arrays(**values: Iterable[Any]) -> dict[str, list[Any]]:
    """The values, by the names of the columns."""
    return {_EACH + name: list(each) for name, each in values.items()}
