"""A migration leaves the release before what it uses: it adds, and takes nothing away (docs/upgrading.md).

What takes something away names the release that had stopped using it, and that one must be out by then.
"""

from __future__ import annotations

import re
from copy import copy
from pathlib import Path

import pytest

from tests.migration_source import Migration

ROOT = Path(__file__).parents[2]
VERSIONS = ROOT / "alertops" / "migrations" / "versions"
# Of the schema that the first release before any other began with: nobody has run an older one.
FIRST = "0018"
SENTENCE = 20  # letters, at least


def read() -> dict[str, Migration]:
    """Those that follow the first release, by the names of their files."""
    all_ = {file.stem: Migration(file.read_text()) for file in VERSIONS.glob("*.py")}
    return {name: found for name, found in sorted(all_.items()) if str(found.revision) > FIRST}


def releases() -> set[str]:
    return set(re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE))


def fault_of(migration: Migration, out: set[str]) -> str | None:
    """What is wrong with it, when these releases are out."""
    if migration.contracts is not None and migration.contracts not in out:
        return f"CONTRACTS names {migration.contracts}, which CHANGELOG.md does not have: it is not out yet"
    declared = migration.contracts is not None or len(migration.expands or "") >= SENTENCE
    if migration.findings and not declared:
        return f"takes away what the release before may use: {migration.findings}; see docs/upgrading.md"
    return None


@pytest.mark.parametrize("name", read())
def test_migration_leaves_the_release_before_what_it_uses(name: str) -> None:
    assert fault_of(read()[name], releases()) is None


def upgrade(*statements: str) -> Migration:
    body = "\n".join(f"    {statement}" for statement in statements)
    return Migration(f'revision = "9999"\ndef upgrade() -> None:\n{body}\n')


TAKE_AWAY = {
    "a column": upgrade("op.drop_column('flows', 'name')"),
    "a table": upgrade("op.drop_table('flows')"),
    "a name": upgrade("op.alter_column('flows', 'name', new_column_name='title')"),
    "an insert without it": upgrade("op.alter_column('flows', 'name', nullable=False)"),
    "an insert": upgrade("op.add_column('flows', sa.Column('x', sa.String(), nullable=False))"),
    "two of a kind": upgrade("op.create_index('x', 'flows', ['name'], unique=True)"),
    "values": upgrade("op.create_check_constraint('x', 'flows', 'true')"),
    "a name, by SQL": upgrade("op.execute('ALTER TABLE flows RENAME name TO title')"),
    "a table, elsewhere": Migration(
        "SQL = 'DROP TABLE flows'\n"
        "def _more() -> None:\n    op.execute(SQL)\n"
        "def upgrade() -> None:\n    _more()"
    ),
}
ADD = {
    "a table": upgrade("op.create_table('x')", "op.create_index('i', 'x', ['a'], unique=True)"),
    "a column": upgrade("op.add_column('flows', sa.Column('x', sa.String(), nullable=True))"),
    "a column with a default": upgrade(
        "op.add_column('flows', sa.Column('x', sa.Integer(), server_default='0', nullable=False))"
    ),
    "what its way back drops": Migration(
        "def upgrade() -> None:\n    pass\ndef downgrade() -> None:\n    op.drop_table('flows')"
    ),
}


@pytest.mark.parametrize("name", TAKE_AWAY)
def test_what_takes_away_is_found(name: str) -> None:
    assert "takes away" in (fault_of(TAKE_AWAY[name], {"0.1.0"}) or "")


@pytest.mark.parametrize("name", ADD)
def test_what_adds_is_let_be(name: str) -> None:
    assert fault_of(ADD[name], set()) is None


def test_what_takes_away_names_a_release_that_is_out() -> None:
    migration = copy(TAKE_AWAY["a column"])
    migration.contracts = "0.2.0"
    assert fault_of(migration, {"0.1.0", "0.2.0"}) is None
    assert "not out yet" in (fault_of(migration, {"0.1.0"}) or "")


def test_what_only_looks_as_if_says_why_it_does_not() -> None:
    migration = copy(TAKE_AWAY["values"])
    migration.expands = "yes"
    assert fault_of(migration, set())
    migration.expands = "the constraint allows more than the one before"
    assert fault_of(migration, set()) is None
