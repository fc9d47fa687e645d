"""A table in a pipe or a file is shown whole."""

import pytest
from rich.table import Table

from sluicegate.agents.cli.table_console import table_console

WIDE = "x" * 300


@pytest.fixture
def table() -> Table:
    table = Table("name", "value")
    table.add_row("one", WIDE)
    return table


def test_a_table_in_a_pipe_is_as_wide_as_it_needs_to_be(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    table_console().print(table)
    lines = capsys.readouterr().out.splitlines()
    assert f"│ one  │ {WIDE} │" in lines
    assert {len(line) for line in lines} == {300 + len("│ one  │  │")}


def test_the_variable_columns_sets_the_width(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    table_console().print(table)
    assert {len(line) for line in capsys.readouterr().out.splitlines()} == {60}
