"""Standard input and output as commands use them: every failure is one line, and no reading thread fails in silence."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Semaphore, Thread
from typing import BinaryIO, TypeVar

import orjson

from sluicegate.schemas.errors import ContractError, StreamFailed

ItemT = TypeVar("ItemT")


def exit_on_sigterm() -> None:
    """From now on SIGTERM unwinds the main thread as Ctrl-C does, so that what is under way is cleaned up."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """For a block that writes to standard output. It ends quietly when the reader has gone, as `head` does.

    Raises:
        StreamFailed: standard output is closed, or cannot be written to (a full disk).
    """
    if sys.stdout is None:
        raise StreamFailed("cannot write to standard output: it is closed")
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # the interpreter flushes once more when it ends
        if not isinstance(error, BrokenPipeError):
            raise StreamFailed(f"cannot write to standard output: {error.strerror or error}") from None


def raw_queries(arguments: Iterable[str]) -> list[bytes]:
    """A raw query's JSON for each argument of the command line.

    Raises:
        ContractError: an argument is not UTF-8.
    """
    rows = []
    for number, query in enumerate(arguments, 1):
        try:
            rows.append(orjson.dumps({"query": query}))
        except orjson.JSONEncodeError:  # a byte that is not UTF-8 is a lone surrogate here
            raise ContractError(f"argument {number} is not UTF-8") from None
    return rows


def open_input(path: Path | None) -> BinaryIO:
    """The file at `path`, or standard input for None, which gets a buffer of its own.

    The interpreter could not end while a thread holds the buffer of `sys.stdin`.

    Raises:
        StreamFailed: it is closed, or cannot be opened.
    """
    if path is None and sys.stdin is None:
        raise StreamFailed("cannot read standard input: it is closed")
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False) if path is None else path.open("rb")
    except OSError as error:
        raise StreamFailed(f"cannot read {path or 'standard input'}: {error.strerror}") from None


def require_writable(*paths: Path | None) -> None:
    """Refuse files that could not be written, before the work whose result they are to hold.

    Raises:
        StreamFailed: one of them cannot be written.
    """
    for path in filter(None, paths):
        existed = path.exists()
        try:
            path.open("ab").close()
            if not existed:
                path.unlink()
        except OSError as error:
            raise StreamFailed(f"cannot write {path}: {error.strerror or error}") from None


async def read_in_thread(items: Iterator[ItemT]) -> AsyncIterator[ItemT]:
    """The items of a blocking iterator, and then the error that it raised, if it did.

    They are read in a daemon thread, one ahead: Ctrl-C does not wait for the next one.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Queue[tuple[ItemT] | BaseException | None] = asyncio.Queue()
    taken = Semaphore(1)

    def read() -> None:
        with suppress(RuntimeError):  # the event loop has ended
            try:
                for item in items:
                    taken.acquire()
                    loop.call_soon_threadsafe(found.put_nowait, (item,))
                loop.call_soon_threadsafe(found.put_nowait, None)
            except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
                loop.call_soon_threadsafe(found.put_nowait, error)

    Thread(target=read, name="reader", daemon=True).start()
    while item := await found.get():
        if isinstance(item, BaseException):
            raise item
        taken.release()
        yield item[0]
