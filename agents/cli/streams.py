"""Standard input and output as commands use them: lines that can be interrupted, a reader that may leave."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Semaphore, Thread

import orjson

from sluicegate.schemas.errors import ContractError


def exit_on_sigterm() -> None:
    """From now on SIGTERM unwinds the main thread as Ctrl-C does, so that what is under way is cleaned up and told."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Ends the block quietly when whoever read our standard output has gone, as `head` does."""
    try:
        yield
        sys.stdout.flush()
    except* BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # the interpreter flushes once more at its end


def raw_queries(arguments: Iterable[str]) -> list[bytes]:
    """A raw query's JSON for each argument of the command line.

    Raises:
        ContractError: an argument is not UTF-8.
    """
    rows = []
    for number, query in enumerate(arguments, 1):
        try:
            rows.append(orjson.dumps({"query": query}))
        except orjson.JSONEncodeError:  # a byte that is not UTF-8 stands as a lone surrogate
            raise ContractError(f"argument {number} is not UTF-8") from None
    return rows


async def lines_of_stdin() -> AsyncIterator[bytes]:
    """The lines of standard input. Read in a daemon thread: Ctrl-C need not wait for the next one.

    The thread reads through a buffer of its own, since the interpreter could not end while another holds that of
    `sys.stdin`. It hands over no coroutine, which a loop that has just ended would never await.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    taken = Semaphore(1)

    def read() -> None:
        with open(sys.stdin.fileno(), "rb", closefd=False) as stdin, suppress(RuntimeError):  # the loop has ended
            while taken.acquire():
                loop.call_soon_threadsafe(lines.put_nowait, stdin.readline())

    Thread(target=read, name="stdin", daemon=True).start()
    while line := await lines.get():
        taken.release()
        yield line
