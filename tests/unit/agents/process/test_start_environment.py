"""The worker's process starts itself again with the environment that it needs."""

import os
import subprocess
import sys

import pytest

from sluicegate.agents.process.start_environment import START_ENVIRONMENT

PROGRAM = "import os, sys; from sluicegate.agents.process.start_environment import restart_with_environment as r; r(); print(os.getpid(), os.environ['GLIBC_TUNABLES'], os.environ['OPENBLAS_NUM_THREADS'], sys.argv[1:])"  # noqa: E501


@pytest.mark.parametrize("own", [None, "glibc.malloc.arena_max=8"], ids=["nothing set", "set by the user"])
def test_what_is_missing_is_set_and_what_is_set_wins(own: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in START_ENVIRONMENT}
    if own:
        environment["GLIBC_TUNABLES"] = own
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "an argument"], env=environment, stdout=subprocess.PIPE, text=True
    )
    said, _ = process.communicate(timeout=30)
    assert said.split(maxsplit=3) == [
        str(process.pid),
        own or START_ENVIRONMENT["GLIBC_TUNABLES"],
        "1",
        "['an argument']\n",
    ]
