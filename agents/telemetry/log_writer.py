"""Writes log lines in its own thread, so that a reader that stops reading blocks only the log.

    any thread ──► bounded queue ──► the thread "log-writer" ──► standard error

A pipe that nobody reads is full after 64 kB, and then a write waits forever. Here only the writer waits. Once the queue
is full too, new lines are dropped and counted, and the count is logged when the reader is back. The process ends
whether or not the writer does.
"""

import logging
import os
import select
import threading
import time
from queue import SimpleQueue
from typing import Final

from sluicegate.agents.error_text import describe_error
from sluicegate.agents.time_budget import LOGS_S

CAPACITY: Final = 10_000
"""The most lines that wait for the reader, about 10 MB."""

_POLL_S: Final = 0.01


class LogWriter(logging.Handler):
    """Writes each record as a line to the file descriptor `fd`. Its methods may be called from any thread."""

    def __init__(self, fd: int, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._fd = fd
        # Not a `Queue`: a line may be logged by the garbage collector while another is being put.
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._queued = self._written = self._dropped = 0
        threading.Thread(target=self._write_lines, name="log-writer", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue `record`. Never waits, and never raises."""
        if self._lines.qsize() >= CAPACITY:
            self._dropped += 1  # the handler's lock is held
            return
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - no log line may stop the process
            line = self.format(_note(f"a log line of {record.name} cannot be formatted: {describe_error(error)}"))
        self._queued += 1
        self._lines.put(f"{line}\n".encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Wait until all lines are written, for at most `LOGS_S`. The logging module calls it when the process ends."""
        queued, give_up = self._queued, time.monotonic() + LOGS_S
        while self._written < queued and time.monotonic() < give_up:
            time.sleep(_POLL_S)

    def _write_lines(self) -> None:
        while True:
            self._write(self._lines.get())
            self._written += 1
            if self._dropped:
                with self.lock:  # type: ignore[union-attr]  # a handler always has one
                    dropped, self._dropped = self._dropped, 0
                note = _note(f"{dropped} log lines were dropped: standard error was not read")
                self._write(f"{self.format(note)}\n".encode())

    def _write(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._fd, line) :]
            except BlockingIOError:  # another process has made the pipe non-blocking
                select.select([], [self._fd], [])
            except OSError:  # the reader has closed the pipe
                return


def _note(message: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)
