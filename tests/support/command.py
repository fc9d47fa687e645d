"""The `sluice` command as its users run it: in a new process, with its output and exit code."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson

from tests.support.ports import free_port

NOBODY = {"SLUICE_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


def sluice(
    *arguments: str | Path, given: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end, `given` on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "sluicegate", *arguments],
        input=given,
        env={**os.environ, "COLUMNS": "200", "SLUICE_HTTP_PORT": str(free_port()), **(environment or {})},
        capture_output=True,
        timeout=90,
        check=False,
    )


def rows(finished: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in finished.stdout.splitlines()]
