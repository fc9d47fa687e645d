"""One query's decision: normalise, encode, wait for the engine, or degrade by policy. No Kafka here.

The gate agent and ``sluice gate`` decide through the same object, so they cannot differ.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar

from agents.microbatch import Batched, MicroBatcher
from agents.settings import Settings
from models.engine import EncodedQuery, Engine, Judgement
from models.labels import Intent
from models.normalise import normalise
from models.policy import Ruling, Verdict
from models.registry import served_from
from schemas.errors import CompiledModelError, ContractError, EngineFailed, EventFailed

logger = logging.getLogger(__name__)

OwnerT = TypeVar("OwnerT")
BatchObserver = Callable[[Sequence[OwnerT], int, int], None]

_SILENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a query, why, and when each stage was (`time.time_ns`).

    `degraded` names the error that kept the model from answering; then `batched` is None and the policy judged.
    """

    text: str
    normalisation: tuple[str, ...]
    judgement: Judgement
    degraded: str | None
    batched: Batched[Judgement] | None
    normalise_started_ns: int
    normalise_ended_ns: int

    @property
    def reason_codes(self) -> list[str]:
        """Every code, in the order of the stages."""
        degraded = [f"degraded:{self.degraded}"] if self.degraded else []
        return [*self.normalisation, *degraded, self.judgement.ruling.reason, *self.judgement.codes]


def load_engine(settings: Settings, folder: Path | None = None) -> Engine:
    """The engine of the model in `folder`, else of the one that `settings` serve, once it has judged a first query.

    Raises:
        CompiledModelError: the model's folder cannot be served.
    """
    folder = folder or served_from(settings.model).model
    engine = Engine(
        folder,
        thresholds=settings.thresholds,
        device=settings.device,
        compute_type=settings.compute_type,
        intra_threads=settings.threads,
        max_query_tokens=settings.max_query_tokens,
        max_answer_tokens=settings.max_answer_tokens,
    )
    try:
        engine.judge([engine.encode("red shoes")])
    except EngineFailed as error:
        raise CompiledModelError(f"{folder} cannot judge: {error}. Compile the model again.") from None
    return engine


class Decider(Generic[OwnerT]):
    """Decides queries, each on behalf of an owner (an event's span) that the batch observer is told about."""

    def __init__(
        self, engine: Engine, batcher: "MicroBatcher[tuple[EncodedQuery, OwnerT], Judgement]", settings: Settings
    ) -> None:
        self.engine = engine
        self._batcher = batcher
        self._max_chars = settings.max_query_chars
        self._deadline_s = settings.deadline_ms / 1000
        self._fail: Literal["closed", "open"] = settings.fail
        self._silent_until: dict[str, float] = {}
        self._deciding = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    @asynccontextmanager
    async def running(
        cls, engine: Engine, settings: Settings, observe_batch: BatchObserver[OwnerT] | None = None
    ) -> AsyncIterator["Decider[OwnerT]"]:
        """A decider with a running micro-batcher. `observe_batch(owners, started_ns, ended_ns)` runs in its thread."""

        def judge(batch: Sequence[tuple[EncodedQuery, OwnerT]]) -> list[Judgement]:
            started_ns = time.time_ns()
            judgements = engine.judge([query for query, _ in batch])
            if observe_batch:
                observe_batch([owner for _, owner in batch], started_ns, time.time_ns())
            return judgements

        async with MicroBatcher(
            judge,
            length=lambda item: len(item[0].tokens),
            batch_size=settings.batch_size,
            capacity=settings.queue_size,
        ) as batcher:
            yield cls(engine, batcher, settings)

    @property
    def queue_depth(self) -> int:
        """Queries that wait for the engine."""
        return self._batcher.depth

    async def idle(self) -> None:
        """Wait until no decision is under way."""
        await self._idle.wait()

    async def decide(self, query: str, owner: OwnerT, *, deadline_ms: int | None = None) -> Decision:
        """The decision about the untrusted `query`, within `deadline_ms` or the setting, whichever is less.

        Raises:
            ContractError: nothing is left of the query once it is normalised.
        """
        self._deciding += 1
        self._idle.clear()
        try:
            return await self._decide(query, owner, deadline_ms)
        finally:
            self._deciding -= 1
            if not self._deciding:
                self._idle.set()

    async def _decide(self, query: str, owner: OwnerT, deadline_ms: int | None) -> Decision:
        deadline_s = min(self._deadline_s, deadline_ms / 1000) if deadline_ms else self._deadline_s
        deadline = asyncio.get_running_loop().time() + deadline_s
        started_ns = time.time_ns()
        normalised = normalise(query, max_chars=self._max_chars)
        if not normalised.text:
            raise ContractError("nothing is left after normalisation: send words - at `$.query`")
        encoded = self.engine.encode(normalised.text)
        ended_ns = time.time_ns()
        batched: Batched[Judgement] | None = None
        degraded: str | None = None
        try:
            batched = await self._batcher.submit((encoded, owner), deadline=deadline)
            judgement = batched.result
        except EventFailed as error:
            degraded = type(error).__name__
            self._say(error)
            judgement = self._degrade(encoded)
        return Decision(encoded.text, tuple(normalised.codes), judgement, degraded, batched, started_ns, ended_ns)

    def _say(self, error: EventFailed) -> None:
        """One line a minute for each kind of failure: a broken model fails on every event."""
        now, kind = time.monotonic(), type(error).__name__
        if now >= self._silent_until.get(kind, 0):
            self._silent_until[kind] = now + _SILENCE_S
            logger.error("deciding without the model (fail %s): %s: %s", self._fail, kind, error)

    def _degrade(self, query: EncodedQuery) -> Judgement:
        verdict = Verdict.REVIEW if self._fail == "closed" else Verdict.ALLOW
        return Judgement(
            ruling=Ruling(verdict, None, 0.0, f"fail_{self._fail}"),
            probabilities={},
            intent=Intent.OTHER,
            lexical=query.text,
            semantic=query.text,
            synonyms=(),
            facets=(),
            codes=query.codes,
            prompt_hash=None,
            output_hash=None,
            input_tokens=0,
            output_tokens=0,
        )
