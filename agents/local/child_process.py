"""Child processes that cannot outlive this process, however it ends: the embedded broker and a worker."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# The shell becomes the command, so the process id is the command's own. Its background job waits until our end of the
# pipe is closed, which the kernel does even after kill -9, and then ends the command.
_CHILD = 'exec 3<&0; { read -r _; kill $$; } <&3 >/dev/null 2>&1 & exec "$@" </dev/null 3<&-'


def start_child(command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    """Start a child process that cannot outlive this process, with its output in the file `log`.

    It runs in its own session, so Ctrl-C reaches only this process, which can finish its work with the child first.
    End it with `stop_child`.
    """
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - only this package chooses the command
            ["/bin/sh", "-c", _CHILD, "sh", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop_child(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Send SIGTERM to the child, by closing its pipe, and kill it if it has not ended within `timeout_s`."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_worker(
    environment: Mapping[str, str], log: Path, module: Sequence[str] = ("sluicegate", "worker")
) -> subprocess.Popen[bytes]:
    """Start ``sluice worker``, or `module`, with `environment` added to this process's. End it with `stop_child`."""
    given = (f"{name}={value}" for name, value in environment.items())
    return start_child(["/usr/bin/env", *given, sys.executable, "-m", *module], log)
