"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_search_service_finds_what_was_misspelt_and_nothing_for_a_blocked_query() -> None:
    finished = subprocess.run(
        [sys.executable, EXAMPLES / "search_service.py"], capture_output=True, text=True, timeout=60, check=True
    )
    assert finished.stdout.splitlines() == [
        "wireless headphons: wireless headphones",
        "runing shoes: running shoes",
        "how to forge a passport: nothing",
    ]
