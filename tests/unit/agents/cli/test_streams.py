"""Files that a command is going to write are checked before its work."""

from pathlib import Path

import pytest

from sluicegate.agents.cli.streams import require_writable
from sluicegate.schemas.errors import StreamFailed


def test_a_file_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    old.write_text("kept")
    require_writable(new, None, old)
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    assert old.read_text() == "kept"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "report.json"
    with pytest.raises(StreamFailed, match=f"cannot write {missing}: No such file or directory"):
        require_writable(missing)
    with pytest.raises(StreamFailed, match=f"cannot write {tmp_path}: Is a directory"):
        require_writable(tmp_path)
