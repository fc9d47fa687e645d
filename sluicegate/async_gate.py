"""The gate for asyncio services: the worker's own decider, without Kafka."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from sluicegate.decision import GateDecision, GateReading, Stages
from sluicegate.schemas.errors import ContractError, GateClosed
from sluicegate.schemas.events import Threshold
from sluicegate.spans import caller_span

if TYPE_CHECKING:  # the model and the settings are imported when a gate opens
    from types import TracebackType

    from sluicegate.agents.deciding.decider import Decider, OwnerT
    from sluicegate.agents.deciding.decision import Decision
    from sluicegate.agents.deciding.live_models import LiveModels
    from sluicegate.agents.ledger import Ledger
    from sluicegate.agents.ledger.recording import Recorder
    from sluicegate.agents.settings import Settings

EMBEDDED: Final = "embedded"
"""The name of the model that comes with the package."""

Thresholds = Mapping[str, Threshold | Mapping[str, float]]

_MOST_WAITING: Final = 65_536
"""Calls that may wait for the second model: nothing else waits behind them."""
_DEADLINE_MS: Final = 600_000
"""A caller that waits for its answer sets its own time limit; this one only ends a wait for a model that is stuck."""


class AsyncGate:
    """Decides queries on an asyncio event loop, many at a time.

    >>> import asyncio
    >>> from sluicegate import AsyncGate
    >>> async def main() -> list[str]:
    ...     async with AsyncGate() as gate:
    ...         decisions = await gate.decide_many(["wireless headphons", "how to forge a passport"])
    ...     return [decision.verdict for decision in decisions]
    >>> asyncio.run(main())
    ['allow', 'block']

    Queries that are decided at the same time share calls of the model, and equal queries are judged once: call `decide`
    from as many tasks as there are requests. Cancelling a call frees its place in the queue, so
    `async with asyncio.timeout(0.1)` is a time limit.

    The settings of the environment (`SLUICE_…`, see `sluice config show`) apply as they do to the worker. A gate is
    used on the event loop that opened it, and in the process that opened it: after a fork, open one in the child.

    Under an OpenTelemetry span of the caller's, each decision is a span with its stages.
    """

    def __init__(
        self,
        model: str | PathLike[str] | None = None,
        *,
        thresholds: Thresholds | None = None,
        policy: str | PathLike[str] | None = None,
        ledger: "Ledger | None" = None,
    ) -> None:
        """Choose a model; it is loaded when the gate opens.

        `model`: the folder of a compiled model or of a registry, or "embedded" for the model of the package. The
        default is `SLUICE_MODEL`, else the embedded model. The gate follows a registry as a worker does: another model
        is put in use within seconds, without a pause, and a canary decides its share.

        `thresholds` override those of the model, as in ``{"hate": {"allow": 0.2, "block": 0.6}}``: review from `allow`
        on, block from `block` on, never block where that is above 1.

        `policy`: a policy file or the folder of a registry of policies, in place of `thresholds`. The default is
        `SLUICE_POLICY`. The gate follows it: a changed file decides within seconds.

        `ledger`: where the audit record of each decision is kept: a `JsonLinesLedger`, a `SpoolLedger` or a
        `KafkaLedger`. Without one there is no record. The gate opens and closes it.
        """
        self._model = model
        self._policy = policy
        self._thresholds = thresholds
        self._ledger = ledger
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._models: LiveModels[None] | None = None
        self._recorder: Recorder | None = None
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the ledger, load the model and the policy.

        Raises:
            ConfigurationError: the model, the policy or a setting is wrong, or the ledger cannot be opened.
            SpoolFailed: the ledger is a spool that cannot be opened, or that another process has open.
        """
        from sluicegate.agents.deciding.live_models import LiveModels, load_models

        self._settings = _settings(self._model, self._thresholds, self._policy)
        async with AsyncExitStack() as stack:
            if self._ledger is not None:
                from sluicegate.agents.ledger.recording import Recorder

                recording = Recorder.running(self._ledger, self._settings, door="gate")
                self._recorder = await stack.enter_async_context(recording)
            loaded = await asyncio.to_thread(load_models, self._settings)
            running = LiveModels[None].running(loaded, self._settings)
            self._models = await stack.enter_async_context(running)
            self._stack = stack.pop_all()
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        """Wait for the calls that are under way and their audit records, then free the model."""
        self._models = None
        await self._idle.wait()
        await self._stack.aclose()

    @property
    def model_version(self) -> str:
        """The model's name and hash, as in every event.

        Raises:
            GateClosed: the gate is not open.
        """
        return self._open_models().in_use.engine.manifest.model_version

    @property
    def policy_version(self) -> str:
        """The version of the policy in use, as in every event.

        Raises:
            GateClosed: the gate is not open.
        """
        return self._open_models().in_use.policy_version

    async def decide(self, query: str, *, locale: str | None = None, surface: str | None = None) -> GateDecision:
        """The decision about `query`. `locale` is the user's, as `en-GB`: queries of other languages are not corrected.

        `surface` is where the query was typed: it chooses the thresholds and lists of the policy.

        Raises:
            TypeError: the query is not a str.
            ContractError: nothing is left of it once it is cleaned, or it is too long.
            GateClosed: the gate is not open, or it belongs to another event loop.
            LedgerFailed: the audit record could not be kept. The decision is then not given away.
        """
        models = self._open_models()
        self._check(query)
        event_id = uuid4().hex
        decider = models.choose(event_id)
        self._calls += 1
        self._idle.clear()
        try:
            with caller_span() as caller:
                decision = await decider.decide(query, None, locale=locale, surface=surface, event_id=event_id)
                caller.record(decision, event_id=event_id, model=decider.engine.manifest.model_version)
                if self._recorder is not None:
                    await self._recorder.record(
                        query, decision, decider, event_id=event_id, trace_id=caller.trace_id, headers=caller.headers
                    )
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()
        return gate_decision(decision, decider, event_id=event_id)

    async def decide_many(
        self, queries: Iterable[str], *, locale: str | None = None, surface: str | None = None
    ) -> list[GateDecision]:
        """The decisions about `queries`, in their order; the first error ends the call.

        `locale` and `surface` are those of all.

        Raises:
            TypeError: a query is not a str.
            ContractError: of a query nothing is left, or it is too long; the message has its place, from 0.
            GateClosed: the gate is not open, or it belongs to another event loop.
            LedgerFailed: the audit record of a query could not be kept.
        """
        self._open_models()
        if isinstance(queries, str):
            raise TypeError("queries must be an iterable of str, not one str")
        rows = list(queries)
        decisions: dict[int, GateDecision] = {}
        numbered = iter(enumerate(rows))

        async def decide_next() -> None:
            for place, query in numbered:
                try:
                    decisions[place] = await self.decide(query, locale=locale, surface=surface)
                except ContractError as error:
                    raise ContractError(f"query {place}: {error}") from None

        at_once = min(len(rows), self._settings.queue_size)
        tasks = [asyncio.create_task(decide_next(), name="gate") for _ in range(at_once)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [decisions[place] for place in range(len(rows))]

    def _open_models(self) -> "LiveModels[None]":
        if self._models is None:
            raise GateClosed("the gate is not open: use it inside `async with AsyncGate() as gate`")
        if os.getpid() != self._process:
            raise GateClosed("the gate was made before a fork and does not work in this process: make one here")
        if asyncio.get_running_loop() is not self._loop:
            raise GateClosed("the gate belongs to another event loop: open one on each")
        return self._models

    def _check(self, query: object) -> None:
        from sluicegate.models.text.normalise import WORK_FACTOR

        if not isinstance(query, str):
            raise TypeError(f"a query must be a str, not {type(query).__name__}")
        longest = WORK_FACTOR * self._settings.max_query_chars
        if len(query) > longest:
            raise ContractError(f"the query has {len(query)} characters, at most {longest} are allowed")


def _settings(
    model: str | PathLike[str] | None, thresholds: Thresholds | None, policy: str | PathLike[str] | None
) -> "Settings":
    from sluicegate.agents.settings import EMBEDDED_MODEL, load_settings

    folder = None if model is None else EMBEDDED_MODEL if model == EMBEDDED else Path(model)
    settings = load_settings(
        model=folder,
        thresholds=None if thresholds is None else dict(thresholds),
        policy=None if policy is None else Path(policy),
    )
    return settings.model_copy(
        update={
            "deadline_ms": _DEADLINE_MS,
            "shed_after_ms": 0,
            "second_deadline_ms": _DEADLINE_MS,
            "second_queue_size": _MOST_WAITING,
        }
    )


def gate_decision(decision: "Decision", decider: "Decider[OwnerT]", *, event_id: str | None = None) -> GateDecision:
    """The public form of `decision`, which `decider` made."""
    from sluicegate.agents.deciding.ledger_record import second_trace

    result, manifest = decision.model_result, decider.engine.manifest
    policy_result = result.policy_result
    thresholds = (decision.thresholds or decider.engine.policy).thresholds
    blocked = policy_result.verdict == "block"
    batched = decision.batched
    return GateDecision(
        event_id=event_id,
        verdict=policy_result.verdict.value,
        allow=policy_result.verdict == "allow",
        category=policy_result.category.value if policy_result.category else None,
        probability=policy_result.probability,
        reason=policy_result.reason,
        reason_codes=tuple(map(str, decision.reason_codes)),
        probabilities=dict(result.probabilities),
        thresholds={category.value: limit for category, limit in thresholds.items()},
        readings=tuple(
            GateReading(
                name=reading.name.value,
                text=reading.text,
                verdict=reading.result.policy_result.verdict.value,
                reason=reading.result.policy_result.reason,
            )
            for reading in decision.readings
        ),
        query=decision.text,
        lexical=None if blocked else result.lexical,
        semantic=None if blocked else result.semantic,
        intent=None if blocked else result.intent.value,
        synonyms=() if blocked else result.synonyms,
        facets=() if blocked else result.facets,
        expansions=() if blocked else result.expansions,
        suggestions=decision.suggestions if policy_result.verdict == "allow" else (),
        degraded=decision.degraded is not None,
        answered_by=decision.answered_by,
        model_version=manifest.model_version,
        prompt_version=manifest.prompt_version,
        policy_version=decision.policy_version or decider.policy_version,
        latency_ms=_milliseconds(decision.normalise_started_ns, decision.answered_ns),
        stages_ms=Stages(
            normalise=_milliseconds(decision.normalise_started_ns, decision.normalise_ended_ns),
            queue=_milliseconds(batched.queued_ns, batched.started_ns) if batched else None,
            model=_milliseconds(batched.started_ns, batched.ended_ns) if batched else None,
        ),
        tokens=decision.tokens,
        second=second_trace(decision.second, decided=decision.second_decided) if decision.second else None,
    )


def _milliseconds(start_ns: int, end_ns: int) -> float:
    return (end_ns - start_ns) / 1e6
