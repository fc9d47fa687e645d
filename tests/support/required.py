"""What a test needs and this machine lacks: the test is skipped, or fails where CI says that the thing is required."""

import os
from typing import NoReturn

import pytest


def give_up(variable: str, reason: str) -> NoReturn:
    """Skip the test for `reason`, or fail it if the environment `variable`, as in REQUIRE_NODE, is 1."""
    if os.environ.get(variable) == "1":
        pytest.fail(reason)
    pytest.skip(reason)
