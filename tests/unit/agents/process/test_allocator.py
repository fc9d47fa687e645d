"""The worker's process starts itself again with the allocator's settings."""

import os
import subprocess
import sys

import pytest

from sluicegate.agents.process.allocator import ALLOCATOR_SETTINGS

PROGRAM = "import os, sys; from sluicegate.agents.process.allocator import restart_with_allocator_settings as r; r(); print(os.getpid(), os.environ['GLIBC_TUNABLES'], sys.argv[1:])"  # noqa: E501


@pytest.mark.parametrize("own", [None, "glibc.malloc.arena_max=2"], ids=["nothing set", "set by the user"])
def test_what_is_missing_is_set_and_what_is_set_wins(own: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ALLOCATOR_SETTINGS}
    if own:
        environment["GLIBC_TUNABLES"] = own
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "an argument"], env=environment, stdout=subprocess.PIPE, text=True
    )
    said, _ = process.communicate(timeout=30)
    assert said.split(maxsplit=2) == [
        str(process.pid),
        own or ALLOCATOR_SETTINGS["GLIBC_TUNABLES"],
        "['an argument']\n",
    ]
