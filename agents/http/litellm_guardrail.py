"""LiteLLM's generic guardrail: every LiteLLM proxy can have its requests and answers judged, by configuration alone.

    https://docs.litellm.ai/docs/adding_provider/generic_guardrail_api

Texts are judged; images and tools are not.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from sluicegate.agents.http.deciding import Decided
from sluicegate.agents.http.passages import decide_texts
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService


class GuardrailRequest(Struct, frozen=True, kw_only=True):
    """What the proxy sends. It sends more fields, and newer versions add some: the others are not read."""

    texts: Annotated[list[str] | None, Meta(description="The texts of one request or one answer.")] = None
    input_type: Annotated[Literal["request", "response"], Meta(description="Whether the texts are a model's answer.")]
    litellm_call_id: str | None = None
    request_data: dict[str, object] | None = None


class GuardrailAnswer(Struct, frozen=True, kw_only=True):
    """What the proxy is to do."""

    action: Annotated[
        Literal["NONE", "BLOCKED", "GUARDRAIL_INTERVENED"],
        Meta(description="`GUARDRAIL_INTERVENED`: go on with `texts` in place of those that were sent."),
    ]
    blocked_reason: Annotated[str | None, Meta(description="Why, without a word of the text.")] = None
    texts: Annotated[list[str] | None, Meta(description="All texts, in order, changed or not.")] = None


async def _judge(service: HttpService, call: Call[GuardrailRequest]) -> GuardrailAnswer:
    asked, settings = call.body, service.settings
    texts = asked.texts or []
    places = [place for place, text in enumerate(texts) if text.strip()]
    decided = await decide_texts(service, call, {f"$.texts[{place}]": texts[place] for place in places})
    for each in decided:
        if not each.decision.allow and not (each.decision.verdict == "review" and settings.guardrail_review == "pass"):
            return GuardrailAnswer(action="BLOCKED", blocked_reason=_reason(each))
    if asked.input_type == "request" and settings.guardrail_rewrite:
        rewritten = list(texts)
        for place, each in zip(places, decided, strict=True):
            rewritten[place] = _rewrite(texts[place], each, settings.max_query_chars)
        if rewritten != texts:
            return GuardrailAnswer(action="GUARDRAIL_INTERVENED", texts=rewritten)
    return GuardrailAnswer(action="NONE")


def _rewrite(text: str, decided: Decided, longest: int) -> str:
    """The corrected `text` if it is a short one of one line. A rewrite of another would lose its form or its end."""
    lexical = decided.decision.lexical
    changeable = len(text) <= longest and len(text.splitlines()) == 1 and not decided.of_passage
    return lexical if changeable and decided.decision.allow and lexical else text


def _reason(decided: Decided) -> str:
    decision = decided.decision
    done = "blocked" if decision.verdict == "block" else "held back for review"
    why = f"{decision.category}, {decision.reason}" if decision.category else decision.reason
    return f"Sluicegate: {done} ({why}; decision {decided.event_id})"


ROUTES: Final[Sequence[JsonRoute[Any]]] = (
    JsonRoute(
        "/beta/litellm_basic_guardrail_api",
        "litellm_guardrail",
        "Judge the texts of a request or an answer for a LiteLLM proxy.",
        GuardrailRequest,
        GuardrailAnswer,
        _judge,
    ),
)
