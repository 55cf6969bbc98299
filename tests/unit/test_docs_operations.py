"""The page of operations is what the machine says."""

from __future__ import annotations

from pathlib import Path

from alertops.escalation.operations import POSSIBLE
from alertops.escalation.states import ExecutionStatus
from alertops.escalation.table import cell, operations, table

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_table_in_the_page_is_what_the_machine_does() -> None:
    assert f"\n\n{table()}\n\n" in PAGE.read_text(), "take it from: python -m alertops.escalation.table"


def test_what_a_refusal_calls_possible_is_what_the_machine_does_not_refuse() -> None:
    for operation in operations().values():
        able = {status for status in ExecutionStatus if cell(operation, status) != "-"}
        assert able == POSSIBLE[type(operation)]
