"""Standard input and output for a protocol: nothing else in this process can write to the one or read from the other.

Whatever prints later, a library's banner or native code among them, writes to standard error.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from queue import SimpleQueue
from typing import BinaryIO, Final

from sluicegate.agents.cli.streams import read_in_thread
from sluicegate.schemas.errors import StreamFailed

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2


class ProtocolStreams:
    """The two streams. They are read and written in daemon threads, so that a client that stalls cannot hold the end.

    Used on one event loop.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._writes: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
        threading.Thread(target=self._write_all, name="protocol writer", daemon=True).start()

    def lines(self) -> AsyncIterator[bytes]:
        """The lines of standard input."""
        return read_in_thread(iter(self._incoming.readline, b""))

    async def write(self, line: bytes) -> None:
        """Write `line` to standard output, whole.

        Raises:
            OSError: it cannot be written, since the client has gone.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writes.put((line, written))
        await written

    def _write_all(self) -> None:
        while True:
            line, written = self._writes.get()
            error: OSError | None = None
            try:
                self._outgoing.write(line)
                self._outgoing.flush()
            except OSError as failure:
                error = failure
            loop = written.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, written, error)


def _settle(written: "asyncio.Future[None]", error: OSError | None) -> None:
    if written.done():  # its writer was cancelled
        return
    if error:
        written.set_exception(error)
    else:
        written.set_result(None)


def take_protocol_streams() -> ProtocolStreams:
    """Take both streams away from the rest of the process.

    Raises:
        StreamFailed: one of them is closed.
    """
    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        if stream is None:
            raise StreamFailed(f"cannot use standard {name}: it is closed")
    sys.stdout.flush()
    incoming, outgoing = os.dup(_STDIN), os.dup(_STDOUT)
    nowhere = os.open(os.devnull, os.O_RDWR)  # it becomes standard error where that is closed
    os.dup2(nowhere, _STDIN)
    os.dup2(_STDERR, _STDOUT)
    if nowhere != _STDERR:
        os.close(nowhere)
    return ProtocolStreams(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"))
