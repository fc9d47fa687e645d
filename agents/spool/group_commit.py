"""Many callers share one commit: each waits for the disk, and none waits for more than two commits.

    add() ──► queue ──► the thread "sluicegate-spool" takes all that waits, commits it once ──► add() returns

A commit with `synchronous=FULL` waits for the disk, which takes milliseconds on a solid-state disk and many more on a
memory card. While one is under way the next batch gathers.
"""

import queue
import threading
from concurrent.futures import Future
from typing import Final, TypeAlias

from sluicegate.agents.spool.record import SpoolRecord
from sluicegate.agents.spool.store import Spool
from sluicegate.schemas.errors import SpoolFailed

_LARGEST_BATCH: Final = 256
_LARGEST_BATCH_BYTES: Final = 1 << 20

_Waiting: TypeAlias = tuple[SpoolRecord, "Future[None]"]


class GroupCommit:
    """Adds the records of many threads and tasks to one spool, which it closes in the end."""

    def __init__(self, spool: Spool) -> None:
        """Start the thread."""
        self._spool = spool
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._mutex = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._commit_until_closed, name="sluicegate-spool", daemon=True)
        self._thread.start()

    def add(self, record: SpoolRecord) -> "Future[None]":
        """Keep `record`: the future is done once it is on disk, or has the SpoolFailed that kept it from there."""
        added: Future[None] = Future()
        added.set_running_or_notify_cancel()  # a caller that stops waiting takes nothing back
        with self._mutex:
            if self._closed:
                raise SpoolFailed(f"the spool {self._spool.path} is closed")
            self._waiting.put((record, added))
        return added

    def close(self) -> None:
        """Wait until all records are on disk or refused, then close the spool. Closing twice does no harm."""
        with self._mutex:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()
        self._spool.close()

    def _commit_until_closed(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, last = self._batch(first)
            self._commit(batch)
            if last:
                return

    def _batch(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """What waits, up to a size; and whether nothing comes after it."""
        batch, size = [first], first[0].size
        while len(batch) < _LARGEST_BATCH and size < _LARGEST_BATCH_BYTES:
            try:
                following = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
            if following is None:
                return batch, True
            batch.append(following)
            size += following[0].size
        return batch, False

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            self._spool.add([record for record, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is the answer to whoever waits
            if len(batch) > 1:  # some may have room where not all have
                for waiting in batch:
                    self._commit([waiting])
            else:
                batch[0][1].set_exception(error)
        else:
            for _, added in batch:
                added.set_result(None)
