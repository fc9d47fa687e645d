"""The gate for scripts, notebooks and threads: an `AsyncGate` on an event loop in a thread of its own."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sluicegate.async_gate import AsyncGate, Thresholds
from sluicegate.decision import GateDecision
from sluicegate.schemas.errors import GateClosed

if TYPE_CHECKING:
    from types import TracebackType

    from sluicegate.agents.ledger import Ledger

ResultT = TypeVar("ResultT")


class Gate:
    """Decides queries. Thread-safe: threads that call it at the same time share calls of the model.

    >>> from sluicegate import Gate
    >>> gate = Gate()
    >>> decision = gate.decide("wireless headphons")
    >>> decision.allow, decision.lexical, decision.intent
    (True, 'wireless headphones', 'product_search')
    >>> gate.decide("how to forge a passport").reason
    'block_threshold:illicit'
    >>> [decision.verdict for decision in gate.decide_many(["red shoes", "you are such a pathetic loser"])]
    ['allow', 'review']
    >>> gate.close()

    Close it, or use it in a `with` block; a gate that is not closed ends with the process. It does not survive a fork:
    make one in each process. In a coroutine use `AsyncGate`, which does not block the event loop.
    """

    def __init__(
        self,
        model: str | PathLike[str] | None = None,
        *,
        thresholds: Thresholds | None = None,
        policy: str | PathLike[str] | None = None,
        ledger: "Ledger | None" = None,
    ) -> None:
        """Load a model; the arguments are those of `AsyncGate`.

        Raises:
            ConfigurationError: the model, the policy or a setting is wrong, or the ledger cannot be opened.
            SpoolFailed: the ledger is a spool that cannot be opened, or that another process has open.
        """
        self._gate = AsyncGate(model, thresholds=thresholds, policy=policy, ledger=ledger)
        opened: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        thread = threading.Thread(target=_serve, args=(self._gate, opened), name="sluicegate", daemon=True)
        thread.start()
        self._loop, closing = opened.result()
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._close = weakref.finalize(self, _stop, thread, self._loop, closing, self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the calls that are under way in other threads, then free the model. Closing twice does no harm."""
        if os.getpid() == self._process:
            with self._lock:
                self._close()

    def decide(self, query: str, *, locale: str | None = None, surface: str | None = None) -> GateDecision:
        """The decision about `query`. `locale` is the user's, as `en-GB`: queries of other languages are not corrected.

        `surface` is where the query was typed: it chooses the thresholds and lists of the policy.

        Raises:
            TypeError: the query is not a str.
            ContractError: nothing is left of it once it is cleaned, or it is too long.
            GateClosed: the gate is closed, or was made before a fork.
            LedgerFailed: the audit record could not be kept.
        """
        return self._wait_for(partial(self._gate.decide, locale=locale, surface=surface), query)

    def decide_many(
        self, queries: Iterable[str], *, locale: str | None = None, surface: str | None = None
    ) -> list[GateDecision]:
        """The decisions about `queries`, in their order; much faster than one after the other.

        `locale` and `surface` are those of all.

        Raises:
            TypeError: a query is not a str.
            ContractError: of a query nothing is left, or it is too long; the message has its place, from 0.
            GateClosed: the gate is closed, or was made before a fork.
            LedgerFailed: the audit record could not be kept.
        """
        if not isinstance(queries, str):
            queries = list(queries)  # here, not on the event loop: it may be a slow generator
        return self._wait_for(partial(self._gate.decide_many, locale=locale, surface=surface), queries)

    def _wait_for(self, decide: Callable[[Any], Coroutine[Any, Any, ResultT]], query: str | Iterable[str]) -> ResultT:
        if os.getpid() != self._process:
            raise GateClosed("the gate was made before a fork and does not work in this process: make one here")
        with self._lock:
            if not self._close.alive:
                raise GateClosed("the gate is closed: make another")
            answer = asyncio.run_coroutine_threadsafe(decide(query), self._loop)
        try:
            return answer.result()
        except BaseException:
            answer.cancel()  # after an interrupt, the caller no longer waits for it
            raise


def _serve(gate: AsyncGate, opened: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    """Run the event loop of a gate until it is closed."""

    async def serve() -> None:
        closing = asyncio.Event()
        async with gate:
            opened.set_result((asyncio.get_running_loop(), closing))
            await closing.wait()

    try:
        import uvloop

        with asyncio.Runner(
            loop_factory=uvloop.new_event_loop
        ) as runner:  # 40 µs less for each decision than asyncio's
            runner.run(serve())
    except BaseException as error:
        if opened.done():
            raise
        opened.set_exception(error)


def _stop(thread: threading.Thread, loop: asyncio.AbstractEventLoop, closing: asyncio.Event, process: int) -> None:
    if os.getpid() == process:
        loop.call_soon_threadsafe(closing.set)
        if threading.current_thread() is not thread:  # it may be the one that collects the garbage
            thread.join()
