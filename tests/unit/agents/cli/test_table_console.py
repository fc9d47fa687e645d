"""Nothing is cut off in a table: not in a pipe or a file, nor on a narrow terminal."""

from pathlib import Path

import pytest
from rich.table import Table

from sluicegate.agents.cli.models_tables import print_registry
from sluicegate.agents.cli.table_console import table_console
from sluicegate.models.artifacts.registry import Registry
from tests.support.compiled import compiled_tiny

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


def test_a_version_is_shown_to_its_end_on_a_narrow_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    registry = Registry(tmp_path / "registry")
    version = registry.use(str(compiled_tiny(tmp_path / "a-rather-long-name-of-a-model", "embedded")))
    print_registry(registry)
    column = "".join(line.split("  ")[0].strip() for line in capsys.readouterr().out.splitlines())
    assert version in column
