"""The files around a spool: its lock, its reserve of disk space, and what becomes of a corrupt one.

NAME                    the SQLite database, with NAME-wal and NAME-shm while it is open
NAME.lock               locked by the process that adds records
NAME.sync.lock          locked by the process that publishes them
NAME.reserve            bytes that are given up when the disk is full, so that records can still be deleted
NAME.corrupt-TIME       a corrupt database that was put aside
"""

import fcntl
import os
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sluicegate.schemas.errors import SpoolFailed

_PARTS: Final = ("", "-wal", "-shm")


class FileLock:
    """The lock of one process on a file. The kernel releases it when the process ends, however it ends."""

    def __init__(self, path: Path, *, refusal: str) -> None:
        """Lock `path`, and write the process's id into it.

        Raises:
            SpoolFailed: another process has it; says `refusal` and that process's id.
            OSError: the file cannot be made.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            raise SpoolFailed(f"{refusal} (process {owner or 'unknown'})") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, b"%d\n" % os.getpid(), 0)
        _locks.add(self)

    def release(self) -> None:
        """Give the lock up. Doing so twice does no harm."""
        _locks.discard(self)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


_locks: "weakref.WeakSet[FileLock]" = weakref.WeakSet()


def _forget_locks() -> None:
    """In a forked child: a copy of the descriptor would keep the lock after its owner has ended."""
    for lock in list(_locks):
        lock.release()


os.register_at_fork(after_in_child=_forget_locks)


class Reserve:
    """A file that holds nothing but disk space."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def take(self) -> bool:
        """Take the space, if it is not taken; whether it is now. If not, the disk has too little."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                return True
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size)
            finally:
                os.close(file)
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> bool:
        """Give the space back to the disk; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def put_aside(database: Path) -> Path:
    """Rename a corrupt database and its log; returns its new name, which ends in the time.

    Raises:
        OSError: it cannot be renamed.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = database.with_name(f"{database.name}.corrupt-{stamp}")
    for part in _PARTS:
        path = Path(f"{database}{part}")
        if path.exists():
            path.rename(f"{aside}{part}")
    return aside


def make_private(database: Path) -> None:
    """Make the file, if it is missing, so that only its owner can read it; SQLite's own files follow it.

    Raises:
        OSError: it cannot be made.
    """
    os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    folder = os.open(database.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the name survives a power failure too
    finally:
        os.close(folder)
