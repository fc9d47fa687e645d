"""What tests fetch from Maven Central into .cache/."""

import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path


class MavenFailed(Exception):
    """Maven could not fetch it; the message has the end of what it said."""


def fetched(folder: Path, *goal: str | Path, unpack: Callable[[Path], None] = lambda _: None) -> Path:
    """`folder`, with what Maven's `goal` writes there, if it is missing; it appears complete or not at all.

    `unpack` is called with the folder before it gets its name.

    Raises:
        MavenFailed: it could not be fetched.
    """
    if not folder.is_dir():
        partial = folder.with_name(f"fetching-{uuid.uuid4().hex}")
        command = ["mvn", "-q", "-B", *goal, f"-DoutputDirectory={partial}"]
        maven = subprocess.run(command, capture_output=True, text=True, check=False)
        if maven.returncode != 0:
            raise MavenFailed(maven.stdout[-2000:])
        unpack(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            shutil.rmtree(partial)  # another test process was faster
    return folder
