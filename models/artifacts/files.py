"""Files that are written whole or not at all, and survive a power failure once they are."""

import errno
import os
import shutil
import stat
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Final

from sluicegate.schemas.errors import CompiledModelError

_LARGEST_JSON: Final = 1_000_000


def open_regular(path: Path) -> BufferedReader:
    """Open the file at `path` to read it. Never waits, as opening a named pipe does.

    Raises:
        OSError: it cannot be opened, or is a directory, a pipe or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_json_bytes(path: Path) -> bytes:
    """The content of a small JSON file.

    Raises:
        OSError: the file cannot be read.
        CompiledModelError: it is far larger than any file that we write.
    """
    with open_regular(path) as file:
        content = file.read(_LARGEST_JSON + 1)
    if len(content) > _LARGEST_JSON:
        raise CompiledModelError(f"{path} has more than {_LARGEST_JSON} bytes: it was not written by Sluicegate.")
    return content


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path`. A reader sees the old content or the new content, never a part of either."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def copy_folder(source: Path, destination: Path) -> None:
    """Copy `source` to `destination`, which must not exist. It appears complete or not at all."""
    unfinished = destination.with_name(f".{destination.name}.{os.getpid()}.partial")
    try:
        shutil.copytree(source, unfinished, ignore=shutil.ignore_patterns("*.partial"))
        for path in unfinished.rglob("*"):
            _sync(path)
        unfinished.rename(destination)
        _sync(destination.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _sync(path: Path) -> None:
    """Have the kernel write a file or folder to the disk. Some file systems cannot do that for a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
