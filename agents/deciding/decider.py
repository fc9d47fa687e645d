"""One query's decision: normalise, encode its readings, wait for the engine, or degrade by policy. No Kafka here.

The gate agent, the Python API and ``sluice gate`` decide through the same object, so they cannot differ.

    query ──► normalise ──► its readings ──► cache, micro-batcher ──► the strictest verdict ──► the second model,
                                                    ▲                        │                   where it is unsure
                                                    └── a rewrite that no reading contains

All readings of a query are submitted at once, with one deadline. Which there are: `models.text.readings`. Which counts:
`models.inference.strictest`. The second model: `agents.deciding.second_model`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Generic, Literal, NamedTuple, Protocol, TypeVar

from sluicegate.agents.deciding.answer_cache import AnswerCache, AnsweredQuery
from sluicegate.agents.deciding.asking import Answers, ask_all
from sluicegate.agents.deciding.decision import Decision
from sluicegate.agents.deciding.live_policies import LivePolicies
from sluicegate.agents.deciding.micro_batcher import MicroBatcher
from sluicegate.agents.deciding.policy_answers import PolicyAnswers
from sluicegate.agents.deciding.priority import standing_back
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.inference.encoded_readings import (
    EncodedReading,
    encode_readings,
    encode_suggestions,
    unread_rewrites,
)
from sluicegate.models.inference.engine import Engine
from sluicegate.models.inference.judge import EncodedQuery, Judge, ModelResult
from sluicegate.models.inference.policy import PolicyResult, Verdict
from sluicegate.models.inference.strictest import (
    JudgedReading,
    is_allowed,
    merge,
    merge_rewrites,
    strictest,
    without_rewrite,
)
from sluicegate.models.policy.compiled import CompiledPolicy, EventPolicy, texts_to_search
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.errors import (
    CompiledModelError,
    ContractError,
    DeadlineExceeded,
    EngineFailed,
    EventFailed,
    Overloaded,
)
from sluicegate.schemas.reason_codes import PolicyCode, ReasonCode, RewriteCode

logger = logging.getLogger(__name__)

OwnerT = TypeVar("OwnerT")
BatchObserver = Callable[[Sequence[OwnerT], Sequence[ModelResult], int, int], None]
"""Called for every batch: the owners of its queries, the results, when it started and ended (`time.time_ns`)."""

Fail = Literal["closed", "open"]

_SILENCE_S: Final = 60.0

Trial = Literal["sample", "shadow"]
"""How the second model is tried. `sample`: it is asked whatever the screen decides, and changes nothing. `shadow`: the
candidate in shadow is asked in place of the one in use."""


class Second(Protocol[OwnerT]):
    """The second model, as the screen's decider sees it."""

    async def complete(self, decision: Decision, asked: "Asked[OwnerT]") -> Decision:
        """`decision` of the screen, with the second model's opinion where that is asked for."""


class Asked(NamedTuple, Generic[OwnerT]):
    """What the second model must know of a query besides the screen's decision."""

    owner: OwnerT
    event_id: str
    deadline: float
    """Of the whole decision: a time of the event loop's clock."""
    by_producer: bool
    """Whether the producer's deadline or timestamp makes it earlier than the setting."""
    surface: str | None
    policy: CompiledPolicy
    trial: "Trial | None"


class _TimeLeft(NamedTuple):
    seconds: float
    by_producer: bool
    """Whether the producer's deadline or timestamp makes it less than the setting."""


def load_engine(settings: Settings, folder: Path | None = None) -> Engine:
    """The engine of the model in `folder`, by default of the one in `settings`. It has judged a first query.

    Raises:
        CompiledModelError: the model's folder cannot be served.
    """
    folder = folder or served_from(settings.model).model
    load = partial(
        Engine,
        folder,
        thresholds=settings.thresholds,
        device=settings.device,
        compute_type=settings.compute_type,
        intra_threads=settings.threads,
        replicas=settings.replicas,
        cost=settings.batch_cost,
        max_query_tokens=settings.max_query_tokens,
        max_answer_tokens=settings.max_answer_tokens,
    )
    engine = standing_back(settings.nice, load) if settings.nice else load()
    try:
        engine.judge([reading.query for reading in encode_readings(engine, "réd shoes").readings])
    except EngineFailed as error:
        raise CompiledModelError(f"{folder} cannot judge: {error}. Compile the model again.") from None
    return engine


class Decider(Generic[OwnerT]):
    """Decides queries, each on behalf of an owner (an event's span) that the batch observer gets."""

    def __init__(
        self,
        engine: Judge,
        batcher: "MicroBatcher[tuple[EncodedQuery, OwnerT], ModelResult]",
        settings: Settings,
        policies: LivePolicies,
        second: Second[OwnerT] | None = None,
    ) -> None:
        self.engine = engine
        self._second = second
        self._policies = policies
        self._batcher = batcher
        self._max_chars = settings.max_query_chars
        self._deadline_s = settings.deadline_ms / 1000
        self._shed_after_s = settings.shed_after_ms / 1000
        self._cache = AnswerCache(settings.cache_size, settings.cache_ttl_s)
        self._fail: Fail = settings.fail
        self._silent_until: dict[str, float] = {}
        self._deciding = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        engine: Judge,
        settings: Settings,
        observe_batch: BatchObserver[OwnerT] | None = None,
        policies: LivePolicies | None = None,
        second: Second[OwnerT] | None = None,
    ) -> AsyncIterator["Decider[OwnerT]"]:
        """A decider with a running micro-batcher, in whose threads `observe_batch` runs.

        Without `policies` it decides by those that `settings` name, as they are now. `second` is asked about what it is
        unsure of.
        """

        def judge(batch: Sequence[tuple[EncodedQuery, OwnerT]]) -> list[ModelResult]:
            started_ns = time.time_ns()
            model_results = engine.judge([query for query, _ in batch])
            if observe_batch:
                observe_batch([owner for _, owner in batch], model_results, started_ns, time.time_ns())
            return model_results

        async with MicroBatcher(
            judge,
            length=lambda item: len(item[0].tokens),
            cost=engine.cost,
            batch_size=settings.batch_size,
            capacity=settings.queue_size,
            replicas=engine.replicas,
        ) as batcher:
            yield cls(engine, batcher, settings, policies or LivePolicies.load(settings), second)

    @property
    def queue_depth(self) -> int:
        """Queries that wait for the engine."""
        return self._batcher.depth

    @property
    def policy_version(self) -> str:
        """The version of the policy that decides now."""
        return self._policies.in_use.version(self.engine.policy)

    @property
    def busy_s(self) -> float:
        """For how long the engine's present call has run; 0 without one."""
        return self._batcher.busy_s

    @property
    def answered_at(self) -> float:
        """When the engine last answered, by the event loop's clock; 0 if never."""
        return self._batcher.answered_at

    def warnings(self) -> list[str]:
        """What has failed and will be restarted, one sentence each: until then the policy decides."""
        return self._batcher.warnings()

    async def idle(self) -> None:
        """Wait until no decision is under way."""
        await self._idle.wait()

    async def decide(
        self,
        query: str,
        owner: OwnerT,
        *,
        locale: str | None = None,
        deadline_ms: float | None = None,
        age_s: float = 0.0,
        input_codes: tuple[ReasonCode, ...] = (),
        fail: Fail | None = None,
        wait_for_place: bool = True,
        surface: str | None = None,
        policy: CompiledPolicy | None = None,
        event_id: str | None = None,
        trial: "Trial | None" = None,
    ) -> Decision:
        """The decision about the untrusted `query`, within `deadline_ms` or the setting, whichever is less.

        `locale`, as `en-GB`, is that of the user: a query is corrected in its own language only. `age_s`, how long the
        query has waited already, counts against `SLUICE_SHED_AFTER_MS`. `input_codes`, from decoding the input, come
        first among the reason codes. `surface` chooses the thresholds and lists of `policy`, by default the one in use.

        The producer chooses `deadline_ms` and the timestamp that `age_s` is counted from. A query that is late only
        because of them goes to review, even with `SLUICE_FAIL=open`: no producer can use them to bypass the gate.

        `fail`, where a caller that is trusted gives it, replaces the setting and that rule. Without `wait_for_place` a
        query that finds the queue full is not decided by the model: `degraded` is then `Overloaded`, at once.

        `event_id` chooses the version of the second model where a candidate decides a share. `trial` is for decisions
        that are not published.

        Raises:
            ContractError: nothing is left of the query once it is normalised.
        """
        in_use = policy or self._policies.in_use
        event_policy = in_use.for_event(surface, self.engine.policy)
        with self._under_way():
            time_left = self._time_left(deadline_ms, age_s)
            deadline = asyncio.get_running_loop().time() + time_left.seconds
            decision = await self._decide(
                query, owner, deadline, time_left, input_codes, locale, fail, wait_for_place, event_policy
            )
            if self._second is None or decision.degraded:
                return decision
            return await self._second.complete(
                decision,
                Asked(owner, event_id or query, deadline, time_left.by_producer, surface, in_use, trial),
            )

    async def judge(
        self, texts: Sequence[JudgedReading], owner: OwnerT, *, deadline: float, policy: EventPolicy
    ) -> Answers:
        """What this model makes of the texts that another one has judged. It waits for no place in a full queue.

        A text that is too long for this model counts as not answered: its end may be what matters.
        """
        readings = [EncodedReading(each.name, self.engine.encode(each.text, correct=False)) for each in texts]

        async def ask(query: EncodedQuery) -> AnsweredQuery:
            if query.truncated:
                raise EngineFailed("the query is too long for the second model (SLUICE_MAX_QUERY_TOKENS)")
            return await self._ask(query, owner, deadline, wait=False)

        with self._under_way():
            return await ask_all(
                readings,
                PolicyAnswers(self.engine, policy, ask).answer,
                lambda _: _degraded(readings[0].query, "closed"),
            )

    def _ask(self, query: EncodedQuery, owner: OwnerT, deadline: float, *, wait: bool) -> Awaitable[AnsweredQuery]:
        return self._cache.answer(
            query,
            lambda: self._batcher.submit((query, owner), deadline=deadline, wait=wait),
            deadline=deadline,
        )

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self._deciding += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._deciding -= 1
            if not self._deciding:
                self._idle.set()

    def _time_left(self, deadline_ms: float | None, age_s: float) -> _TimeLeft:
        limits = [self._deadline_s]
        if deadline_ms:
            limits.append(deadline_ms / 1000)
        if self._shed_after_s:
            limits.append(self._shed_after_s - age_s)
        return _TimeLeft(min(limits), by_producer=min(limits) < self._deadline_s)

    async def _decide(
        self,
        query: str,
        owner: OwnerT,
        deadline: float,
        time_left: _TimeLeft,
        input_codes: tuple[ReasonCode, ...],
        locale: str | None,
        asked_fail: Fail | None,
        wait_for_place: bool,
        policy: EventPolicy,
    ) -> Decision:
        started_ns = time.time_ns()
        normalised = normalise(query, max_chars=self._max_chars)
        if not normalised.text:
            raise ContractError("nothing is left after normalisation: send words - at `$.query`")
        readings = encode_readings(self.engine, normalised.text, locale)
        encoded = readings.query
        ended_ns = time.time_ns()
        decided = partial(
            Decision,
            text=encoded.text,
            input_codes=input_codes,
            normalisation=normalised.codes,
            encoding=encoded.codes,
            normalise_started_ns=started_ns,
            normalise_ended_ns=ended_ns,
            policy_version=policy.version,
            thresholds=policy.thresholds,
            disguise=readings.codes,
        )

        def unanswered(error: EventFailed) -> ModelResult:
            late = isinstance(error, DeadlineExceeded | Overloaded)
            fail = asked_fail or ("closed" if late and time_left.by_producer else self._fail)
            self._log(error, fail)
            return _degraded(encoded, fail)

        ask_model = partial(self._ask, owner=owner, deadline=deadline, wait=wait_for_place)
        ask = PolicyAnswers(self.engine, policy, ask_model).answer
        answers = await ask_all(readings.readings, ask, unanswered)
        read = [*texts_to_search(query, normalised), *(reading.query.text for reading in readings.readings)]
        worst = strictest(answers.judged, policy.thresholds).result
        if answers.error and not worst.probabilities:
            return decided(
                model_result=policy.apply_lists(worst, read),
                answered_by="policy",
                degraded=type(answers.error).__name__,
                batched=None,
                readings=answers.judged,
                batches=answers.batches,
            )
        result = merge(encoded, answers.judged, policy.thresholds)
        unread = unread_rewrites(self.engine, readings, result)
        offered = encoded.correction.suggestions if encoded.correction else ()
        again = await ask_all([*unread, *encode_suggestions(self.engine, offered)], ask, unanswered)
        rewrites, offers = again.judged[: len(unread)], again.judged[len(unread) :]
        if all(rewrite.result.probabilities for rewrite in rewrites):
            result = merge_rewrites(encoded, result, rewrites, policy.thresholds)
        else:
            result = without_rewrite(encoded, result, RewriteCode.UNJUDGED)
        of_query = answers.answered[0]
        return decided(
            model_result=policy.apply_lists(result, [*read, result.lexical, result.semantic]),
            answered_by=of_query.source if of_query else "policy",
            degraded=None,
            batched=of_query.batched if of_query else None,
            readings=(*answers.judged, *rewrites),
            suggestions=tuple(
                each
                for each, judged in zip(offered, offers, strict=True)
                if is_allowed(judged) and policy.allows(each.text)
            ),
            batches=(*answers.batches, *again.batches),
        )

    def _log(self, error: EventFailed, fail: Fail) -> None:
        """Log at most one line a minute for each kind of failure: a broken model fails on every event."""
        now, kind = time.monotonic(), type(error).__name__
        if now >= self._silent_until.get(kind, 0):
            self._silent_until[kind] = now + _SILENCE_S
            logger.error("deciding without the model (fail %s): %s: %s", fail, kind, error)


def _degraded(query: EncodedQuery, fail: Fail) -> ModelResult:
    if fail == "closed":
        policy_result = PolicyResult(Verdict.REVIEW, None, 0.0, PolicyCode.FAIL_CLOSED)
    else:
        policy_result = PolicyResult(Verdict.ALLOW, None, 0.0, PolicyCode.FAIL_OPEN)
    return ModelResult(policy_result, lexical=query.text, semantic=query.text)
