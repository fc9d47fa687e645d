"""A small part of ``python -m tests.fuzz``, so that the whole stays true."""

import subprocess
import sys


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
