"""A small part of ``python -m tests.fuzz``, so that the whole keeps working; and what it takes for a fault."""

import subprocess
import sys

import pytest

from tests.fuzz import is_expected


def test_every_wild_record_has_an_outcome() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--inputs", "400", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "400 records" in finished.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"level": "ERROR", "message": "deciding without the model (fail closed): DeadlineExceeded"}', True),
        ('{"level": "ERROR", "message": "Task exception was never retrieved"}', False),
        ('{"level": "WARNING"}', False),
        ("Traceback (most recent call last):", False),
        ("", False),
        ("3", False),
    ],
)
def test_every_other_line_of_the_log_is_a_fault(line: str, expected: bool) -> None:
    assert is_expected(line) is expected
