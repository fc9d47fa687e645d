"""Our own door: may a query pass, what should be searched instead, or both; for one query or for many."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct, structs

from sluicegate.agents.http.deciding import Decided, Options, decide_query
from sluicegate.agents.http.errors import detail_of, refusal_of
from sluicegate.agents.http.gate_types import (
    Asked,
    BatchAnswer,
    BatchItem,
    GateAnswer,
    Moderation,
    Query,
    QueryBatch,
    Rewrite,
)
from sluicegate.agents.http.passages import decide_whole
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.decision import GateDecision
from sluicegate.schemas.errors import RequestRefused
from sluicegate.schemas.reason_codes import LIST

AnswerT = TypeVar("AnswerT", bound=Struct)
Decide = Callable[[HttpService, Call[Any], str, Options], Coroutine[Any, Any, Decided]]
"""`decide_query` reads a query and cuts what is too long; `decide_whole` reads a text to its end."""


def _gate_of(decision: GateDecision) -> Literal["model", "list", "policy"]:
    if decision.degraded:
        return "policy"
    return "list" if decision.reason.startswith(f"{LIST.prefix}:") else "model"


def _moderation(decided: Decided) -> Moderation:
    decision = decided.decision
    return Moderation(
        event_id=decided.event_id,
        allow=decision.allow,
        verdict=decision.verdict,
        gate=_gate_of(decided.decision),
        category=decision.category,
        probability=decision.probability,
        reason=decision.reason,
        reason_codes=decision.reason_codes,
        probabilities=decision.probabilities,
        degraded=decision.degraded,
        truncated=decided.truncated,
        model_version=decision.model_version,
        policy_version=decision.policy_version,
    )


def _rewrite(decided: Decided) -> Rewrite:
    decision = decided.decision
    return Rewrite(
        event_id=decided.event_id,
        allow=decision.allow,
        verdict=decision.verdict,
        reason=decision.reason,
        reason_codes=decision.reason_codes,
        query=decision.query,
        lexical=decision.lexical,
        semantic=decision.semantic,
        intent=decision.intent,
        synonyms=decision.synonyms,
        facets=decision.facets,
        expansions=decision.expansions,
        suggestions=decision.suggestions,
        degraded=decision.degraded,
        truncated=decided.truncated,
        model_version=decision.model_version,
        policy_version=decision.policy_version,
    )


def _gate(decided: Decided) -> GateAnswer:
    return GateAnswer(
        gate=_gate_of(decided.decision),
        truncated=decided.truncated,
        **structs.asdict(decided.decision),
    )


def _options(asked: Asked, event_id: str | None) -> Options:
    return Options(
        event_id=event_id,
        locale=asked.locale,
        fail=asked.fail,
        deadline_ms=asked.deadline_ms,
        surface=asked.surface,
        user_id=asked.user_id if asked.user_id is not None else asked.user_id_alias,
        session_id=asked.session_id,
    )


def _one(
    decide: Decide, answer: Callable[[Decided], AnswerT]
) -> Callable[[HttpService, Call[Query]], Coroutine[Any, Any, AnswerT]]:
    async def handle(service: HttpService, call: Call[Query]) -> AnswerT:
        asked = call.body
        decided = await decide(service, call, asked.text, _options(asked, asked.event_id))
        service.telemetry.requests.name_decision(call.span, event_id=decided.event_id, verdict=decided.decision.verdict)
        return answer(decided)

    return handle


def _many(
    decide: Decide, answer: Callable[[Decided], AnswerT]
) -> Callable[[HttpService, Call[QueryBatch]], Coroutine[Any, Any, BatchAnswer[AnswerT]]]:
    async def handle(service: HttpService, call: Call[QueryBatch]) -> BatchAnswer[AnswerT]:
        asked, most = call.body, service.settings.http_max_batch
        if len(asked.texts) > most:
            raise RequestRefused(
                "too_large", f"{len(asked.texts)} texts, at most {most} are allowed: send several", field="$.texts"
            )

        async def item(place: int, text: str) -> BatchItem[AnswerT]:
            event_id = f"{asked.event_id}-{place}" if asked.event_id else None
            try:
                return BatchItem(answer=answer(await decide(service, call, text, _options(asked, event_id))))
            except Exception as error:  # noqa: BLE001 - the item's boundary: the others are answered
                detail = detail_of(refusal_of(error))
                return BatchItem(error=structs.replace(detail, param=f"$.texts[{place}]" if detail.param else None))

        return BatchAnswer(results=await asyncio.gather(*(item(place, text) for place, text in enumerate(asked.texts))))

    return handle


ROUTES: Final[Sequence[JsonRoute[Any]]] = (
    JsonRoute(
        "/v1/gate",
        "gate",
        "Decide one query: verdict, category, rewrite, intent.",
        Query,
        GateAnswer,
        _one(decide_query, _gate),
    ),
    JsonRoute(
        "/v1/moderate",
        "moderate",
        "Decide whether one text may pass, however long it is.",
        Query,
        Moderation,
        _one(decide_whole, _moderation),
    ),
    JsonRoute("/v1/rewrite", "rewrite", "Correct and expand one query.", Query, Rewrite, _one(decide_query, _rewrite)),
    JsonRoute(
        "/v1/gate/batch",
        "gate_batch",
        "Decide several queries.",
        QueryBatch,
        BatchAnswer[GateAnswer],
        _many(decide_query, _gate),
    ),
    JsonRoute(
        "/v1/moderate/batch",
        "moderate_batch",
        "Decide which of several texts may pass.",
        QueryBatch,
        BatchAnswer[Moderation],
        _many(decide_whole, _moderation),
    ),
    JsonRoute(
        "/v1/rewrite/batch",
        "rewrite_batch",
        "Correct and expand several queries.",
        QueryBatch,
        BatchAnswer[Rewrite],
        _many(decide_query, _rewrite),
    ),
)
