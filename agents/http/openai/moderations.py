"""`/v1/moderations`: our verdict in the form of OpenAI's moderation endpoint."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from sluicegate.agents.http.deciding import Decided
from sluicegate.agents.http.openai.moderation_types import (
    ALIASES,
    OUR_CATEGORIES,
    InputPart,
    ModerationAnswer,
    ModerationRequest,
    ModerationResult,
    OurModeration,
)
from sluicegate.agents.http.openai.served_models import require_served
from sluicegate.agents.http.passages import decide_texts, strictest
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.schemas.errors import RequestRefused


async def _moderate(service: HttpService, call: Call[ModerationRequest]) -> ModerationAnswer:
    asked = call.body
    require_served(service, asked.model, ALIASES)
    given = [asked.input] if isinstance(asked.input, str) else asked.input
    decided = await decide_texts(service, call, _texts_of(given))
    if isinstance(given[0], InputPart):
        decided = [strictest(decided)]
    return ModerationAnswer(
        id=f"modr-{uuid.uuid4().hex}",
        model=decided[0].decision.model_version,
        results=[_result(each) for each in decided],
    )


def _texts_of(given: Sequence[str | InputPart]) -> dict[str, str]:
    """The texts, by the fields that they come from."""
    if not given:
        raise RequestRefused("invalid_field", "send at least one text", field="$.input")
    if len({type(each) for each in given}) > 1:
        raise RequestRefused("invalid_field", "send either strings or parts, not both", field="$.input")
    return {
        f"$.input[{place}]": each if isinstance(each, str) else _text_of(each, place)
        for place, each in enumerate(given)
    }


def _text_of(part: InputPart, place: int) -> str:
    if part.type != "text":
        raise RequestRefused(
            "unsupported",
            f"input of type {part.type[:40]!r} is not supported: send text",
            field=f"$.input[{place}].type",
        )
    if part.text is None:
        raise RequestRefused("invalid_field", "a part of type 'text' needs `text`", field=f"$.input[{place}]")
    return part.text


def _result(decided: Decided) -> ModerationResult:
    decision = decided.decision
    return ModerationResult(
        flagged=not decision.allow,
        categories={
            theirs: ours is not None and not decision.allow and decision.category == ours
            for theirs, ours in OUR_CATEGORIES.items()
        },
        category_scores={
            theirs: decision.probabilities.get(ours, 0.0) if ours else 0.0 for theirs, ours in OUR_CATEGORIES.items()
        },
        category_applied_input_types={theirs: ["text"] if ours else [] for theirs, ours in OUR_CATEGORIES.items()},
        sluicegate=OurModeration(
            event_id=decided.event_id,
            verdict=decision.verdict,
            category=decision.category,
            reason=decision.reason,
            reason_codes=decision.reason_codes,
            probabilities=decision.probabilities,
            degraded=decision.degraded,
            truncated=decided.truncated,
            model_version=decision.model_version,
            prompt_version=decision.prompt_version,
            policy_version=decision.policy_version,
        ),
    )


ROUTES: Final[Sequence[JsonRoute[Any]]] = (
    JsonRoute(
        "/v1/moderations",
        "create_moderation",
        "Moderate texts, in the form of OpenAI's endpoint.",
        ModerationRequest,
        ModerationAnswer,
        _moderate,
    ),
)
