"""The client of a chat API: retries around the circuit breaker, a turn, the budget, and one request.

send ─► stamina: again after a pause, or after the API's Retry-After
          └─► breaker: not while the circuit is open
                └─► turn: concurrency and rate
                      └─► budget: the most that it can cost, settled with what it did cost
                            └─► transport: one request
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol, Self

import orjson
import stamina
import stamina.instrumentation

from sluicegate.agents.breaker import Circuit, CircuitBreaker, CircuitOpen
from sluicegate.agents.upstream.budget import BudgetSpent, DailyBudget, Prices, Reservation
from sluicegate.agents.upstream.completion import Completion, Usage, read_completion, read_usage
from sluicegate.agents.upstream.config import UpstreamConfig
from sluicegate.agents.upstream.event_stream import read_events
from sluicegate.agents.upstream.failures import CallFailed, Failure
from sluicegate.agents.upstream.json_answers import AnswerSchema, JsonAnswers
from sluicegate.agents.upstream.transport import Transport
from sluicegate.agents.upstream.turns import Turns
from sluicegate.schemas.errors import ConfigurationError

logger = logging.getLogger(__name__)

stamina.instrumentation.set_on_retry_hooks(())  # attempts are counted here; a log line for each would flood the log

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
_MOST_OUTPUT_TOKENS: Final = 4096
"""Reserved where a request does not limit its answer."""


class UpstreamObserver(Protocol):
    """Is told what becomes of requests."""

    def attempted(self, failure: Failure | None, seconds: float) -> None:
        """An attempt ended: with an answer, or with `failure`."""

    def paid(self, usage: Usage, cost: float) -> None:
        """Money was spent, on so many tokens; 0 tokens where the API has not counted them."""


class UpstreamNotices(Protocol):
    """Is told what an operator should know."""

    def circuit_changed(self, circuit: Circuit) -> None:
        """The circuit opened or closed."""

    def budget_spent(self) -> None:
        """A request was not sent, because the day's budget does not pay for it."""


class _Request(NamedTuple):
    content: bytes
    most: float
    """The most that it can cost."""


class ChatClient:
    """Asks one chat API. An async context manager; use it on one event loop."""

    def __init__(
        self, config: UpstreamConfig, observer: UpstreamObserver | None = None, notices: UpstreamNotices | None = None
    ) -> None:
        """Raises ConfigurationError if the file of the budget cannot be used."""
        self.config: Final = config
        self.budget: Final = DailyBudget(config.daily_budget, config.spent_file)
        self.breaker: Final = CircuitBreaker(
            open_s=config.open_s, changed=notices.circuit_changed if notices else lambda _: None
        )
        self._prices = Prices(config.price_in, config.price_out)
        self._turns = Turns(config.concurrency, config.rate)
        self._transport = Transport(config)
        self._json = JsonAnswers(config.json_mode)
        self._observer = observer
        self._notices = notices

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.close()

    async def complete(
        self,
        messages: Sequence[Mapping[str, object]],
        *,
        deadline: float,
        max_tokens: int,
        schema: AnswerSchema | None = None,
    ) -> Completion:
        """The answer to `messages` by `deadline`, a time of the event loop's clock; as JSON of `schema`, if given.

        That it is such JSON is for the caller to check.

        Raises:
            UpstreamFailed: there is none.
        """
        body = {"model": self.config.model, "messages": messages, "max_tokens": max_tokens, "temperature": 0}
        if schema is None:
            return await self.send(body, deadline=deadline)
        for mode in self._json.modes():
            try:
                answer = await self.send({**body, **self._json.fields(mode, schema)}, deadline=deadline)
            except CallFailed as error:
                if error.failure is not Failure.REFUSED or not self._json.falls_back(mode):
                    raise
            else:
                self._json.worked(mode)
                return answer
        raise AssertionError("the last mode does not fall back")

    async def send(self, body: Mapping[str, object], *, deadline: float) -> Completion:
        """The answer to the request `body` by `deadline`. The fields that the settings name replace its own.

        Raises:
            UpstreamFailed: there is none.
        """
        request = self._request(body)
        async for attempt in self._attempts(deadline):
            with attempt:
                async with self._asked(request, deadline) as reservation, asyncio.timeout_at(deadline):
                    document = await self._transport.post(request.content)
                    choices, usage = read_completion(document, self.config.name)
                    cost = self._settle(reservation, usage)
                    return Completion(choices=choices, usage=usage, cost=cost, document=document)
        raise AssertionError("stamina raises the last error")

    @asynccontextmanager
    async def stream(
        self, body: Mapping[str, object], *, deadline: float
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The parts of a streamed answer, as they come. Retried until it begins, by `deadline`.

        After that each part may take the read time-out. What ends the block early is not an error.

        Raises:
            UpstreamFailed: it cannot be begun; or, while it is read, it broke off.
        """
        request = self._request({**body, "stream": True, "stream_options": {"include_usage": True}})
        async with AsyncExitStack() as stack:
            async for attempt in self._attempts(deadline):
                with attempt:
                    async with AsyncExitStack() as begun:
                        reservation = await begun.enter_async_context(self._asked(request, deadline))
                        async with asyncio.timeout_at(deadline):
                            response = await begun.enter_async_context(self._transport.open(request.content))
                        await stack.enter_async_context(begun.pop_all())
            yield self._parts(read_events(response, self.config.name, self.config.max_answer_bytes), reservation)

    async def _parts(
        self, events: AsyncIterator[dict[str, Any]], reservation: Reservation
    ) -> AsyncIterator[dict[str, Any]]:
        usage = None
        async for event in events:
            usage = read_usage(event) or usage
            yield event
        self._settle(reservation, usage)

    def _attempts(self, deadline: float) -> Any:
        loop = asyncio.get_running_loop()

        def pause(error: Exception) -> bool | float:
            """Whether to try again, or after how many seconds: not where the deadline passes before."""
            if not isinstance(error, CallFailed) or not error.treatment.retried:
                return False
            wait_s = error.retry_after_s
            if loop.time() + (FIRST_PAUSE_S if wait_s is None else wait_s) >= deadline:
                return False
            return True if wait_s is None else wait_s

        return stamina.retry_context(
            on=pause,
            attempts=self.config.attempts,
            timeout=None,
            wait_initial=FIRST_PAUSE_S,
            wait_max=LONGEST_PAUSE_S,
            wait_jitter=FIRST_PAUSE_S,
        )

    @asynccontextmanager
    async def _asked(self, request: _Request, deadline: float) -> AsyncIterator[Reservation]:
        """One question: its block is entered if it may be asked, and ends with its answer or its failure."""
        name = self.config.name
        async with AsyncExitStack() as stack:
            try:
                if self.breaker.refuses():
                    raise CircuitOpen
                async with asyncio.timeout_at(deadline):
                    await stack.enter_async_context(self._turns.turn())
                if asyncio.get_running_loop().time() >= deadline:  # the turn came, but too late
                    raise TimeoutError
                question = stack.enter_context(self.breaker.question())
                reservation = self.budget.reserve(request.most)
            except CircuitOpen:
                raise CallFailed(Failure.CIRCUIT_OPEN, name) from None
            except TimeoutError:
                raise CallFailed(Failure.NO_TURN, name) from None
            except BudgetSpent:
                if self._notices:
                    self._notices.budget_spent()
                raise CallFailed(Failure.BUDGET, name) from None
            except ConfigurationError as error:
                raise CallFailed(Failure.BUDGET, name, str(error)) from None
            started = time.monotonic()
            try:
                yield reservation
            except TimeoutError:
                self._observe(Failure.TIMED_OUT, started)
                self._pay(Usage(), reservation.amount)
                raise CallFailed(Failure.TIMED_OUT, name, "the deadline has passed") from None
            except CallFailed as error:
                if error.treatment.unhealthy:
                    question.failed(opens=error.treatment.opens)
                else:
                    question.succeeded()
                if error.treatment.billed:
                    self._pay(Usage(), reservation.amount)
                else:
                    self._give_back(reservation, 0.0)
                self._observe(error.failure, started)
                raise
            question.succeeded()
            self._observe(None, started)

    def _request(self, body: Mapping[str, object]) -> _Request:
        """`body` with the fields of the settings, where null removes one, and the most that it can cost."""
        fields = {name: value for name, value in {**body, **self.config.body}.items() if value is not None}
        try:
            content = orjson.dumps(fields)
        except orjson.JSONEncodeError:  # a lone surrogate, or nested too deep
            raise CallFailed(Failure.REFUSED, self.config.name, "the request cannot be written as JSON") from None
        allowed = fields.get("max_completion_tokens") or fields.get("max_tokens")
        output_tokens = allowed if isinstance(allowed, int) else _MOST_OUTPUT_TOKENS
        return _Request(content, self._prices.cost(len(content), output_tokens))

    def _settle(self, reservation: Reservation, usage: Usage | None) -> float:
        """Pay for `usage`; without it, the whole of what was reserved."""
        cost = self._prices.cost(usage.prompt_tokens, usage.completion_tokens) if usage else reservation.amount
        self._give_back(reservation, cost)
        self._pay(usage or Usage(), cost)
        return cost

    def _give_back(self, reservation: Reservation, cost: float) -> None:
        try:
            reservation.settle(cost)
        except ConfigurationError as error:  # then all of it stays spent
            logger.error("%s", error)

    def _pay(self, usage: Usage, cost: float) -> None:
        if self._observer:
            self._observer.paid(usage, cost)

    def _observe(self, failure: Failure | None, started: float) -> None:
        if self._observer:
            self._observer.attempted(failure, time.monotonic() - started)
