"""What a migration would do, read from its source: nothing of it is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

# After these a statement of the release before may fail, if they are about something that it knows.
TAKE_AWAY = {"drop_table", "drop_column", "rename_table"}
NARROW = {
    "create_check_constraint",
    "create_exclude_constraint",
    "create_foreign_key",
    "create_unique_constraint",
}
IN_SQL = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN|VIEW|FUNCTION|TRIGGER|ROLE|TYPE)|RENAME|TRUNCATE|REVOKE|SET\s+NOT\s+NULL"
    r"|ALTER\s+COLUMN|ADD\s+CONSTRAINT|CREATE\s+(UNIQUE|TRIGGER))\b",
    re.IGNORECASE,
)


class Migration:
    """One file. Its constants EXPANDS and CONTRACTS are what it declares about itself (docs/upgrading.md)."""

    def __init__(self, source: str) -> None:
        self._named = {name: node for node in ast.parse(source).body for name in _names(node)}
        self.revision = self._constant("revision")
        self.expands = self._constant("EXPANDS")
        self.contracts = self._constant("CONTRACTS")

    def _constant(self, name: str) -> str | None:
        node = self._named.get(name)
        return _text(node.value) if isinstance(node, ast.Assign) else None

    @property
    def findings(self) -> list[str]:
        """What `upgrade` does, itself or through what it calls, that the release before may not survive."""
        nodes = [node for part in self._reached() for node in ast.walk(part)]
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        created = {_text(call.args[0]) for call in calls if _operation(call) == "create_table"}
        texts = [text for node in nodes if (text := _text(node))]
        in_sql = [found[0] for text in texts if (found := IN_SQL.search(text))]
        return [finding for call in calls for finding in _findings(call, created)] + in_sql

    def _reached(self) -> Iterator[ast.stmt]:
        waiting, seen = ["upgrade"], {"upgrade"}
        while waiting:
            node = self._named[waiting.pop()]
            yield node
            used = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)} & set(self._named)
            waiting += used - seen
            seen |= used


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _operation(call: ast.Call) -> str | None:
    """The name of an operation of Alembic's: `op.<name>(...)`."""
    function = call.func
    of_alembic = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
    return function.attr if of_alembic and function.value.id == "op" else None


def _findings(call: ast.Call, created: set[str | None]) -> Iterator[str]:
    operation, first = _operation(call), _text(call.args[0]) if call.args else None
    said = {keyword.arg for keyword in call.keywords}
    of_a_new_table = len(call.args) > 1 and _text(call.args[1]) in created
    if operation in TAKE_AWAY or (operation in NARROW and not of_a_new_table):
        yield f"{operation} {first}"
    elif operation == "alter_column" and {"new_column_name", "type_", "nullable"} & said:
        yield f"alter_column {first}"
    elif operation == "create_index" and "unique" in said and not of_a_new_table:
        yield f"create_index {first}, unique"
    elif operation == "add_column" and _must_be_filled(call.args[1]):
        yield f"add_column {first}, NOT NULL without a server_default"


def _must_be_filled(column: ast.expr) -> bool:
    """And is by nobody who does not know it."""
    said = {word.arg: word.value for word in column.keywords} if isinstance(column, ast.Call) else {}
    nullable = said.get("nullable")
    required = isinstance(nullable, ast.Constant) and nullable.value is False
    return required and "server_default" not in said
