"""Rules about the source files themselves."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 400


@pytest.mark.parametrize("folder", ["agents", "models", "schemas", "sluicegate", "tests", "benchmarks"])
def test_no_file_is_too_long_to_read_at_once(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*.py") if path.is_file()]
    assert files
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
