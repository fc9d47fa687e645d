"""Requests and answers of `/v1/moderations`, and how our categories map to OpenAI's.

https://platform.openai.com/docs/api-reference/moderations
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from sluicegate.models.inference.labels import Category

OpenAICategory = Literal[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
]

OUR_CATEGORIES: Final[dict[OpenAICategory, Category | None]] = {
    "harassment": Category.HARASSMENT,
    "harassment/threatening": None,
    "hate": Category.HATE,
    "hate/threatening": None,
    "illicit": Category.ILLICIT,
    "illicit/violent": None,
    "self-harm": Category.SELF_HARM,
    "self-harm/instructions": None,
    "self-harm/intent": None,
    "sexual": Category.SEXUAL,
    "sexual/minors": None,
    "violence": Category.VIOLENCE,
    "violence/graphic": None,
}
"""OpenAI's categories, and ours where we have it. The others are always false."""

ALIASES: Final = ("omni-moderation-latest",)
"""Names of OpenAI's models that stand for the model in use: clients send them when they are not told otherwise."""


class InputPart(Struct, frozen=True, kw_only=True):
    """One part of an input. Only text can be moderated."""

    type: Annotated[str, Meta(description="`text`. Anything else, such as `image_url`, is refused.")]
    text: str | None = None


class ModerationRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text, several texts, or the parts of one input."""

    input: Annotated[
        str | list[str | InputPart],
        Meta(description="A text; several texts, at most SLUICE_HTTP_MAX_BATCH; or the text parts of one input."),
    ]
    model: Annotated[str | None, Meta(description="The served model's name, or `omni-moderation-latest`.")] = None


class OurModeration(Struct, frozen=True, kw_only=True):
    """What we decided, in our own terms. Of a long text it is the decision about its strictest passage."""

    event_id: Annotated[str, Meta(description="Id of the decision in the ledger and in traces.")]
    verdict: Literal["allow", "block", "review"]
    category: Annotated[str | None, Meta(description="Our category that decided. Null when none did by itself.")]
    reason: Annotated[str, Meta(description="The rule that decided, as in `block_threshold:illicit`.")]
    reason_codes: Annotated[tuple[str, ...], Meta(description="Everything that happened to the text, in order.")]
    probabilities: Annotated[dict[str, float], Meta(description="Of `allow` and of each of our categories.")]
    degraded: Annotated[bool, Meta(description="True when the model did not answer and the policy decided.")]
    truncated: Annotated[bool, Meta(description="True when not all of the text was read.")]
    model_version: str
    prompt_version: str
    policy_version: str


class ModerationResult(Struct, frozen=True, kw_only=True):
    """The result for one text, or for the parts of one input."""

    flagged: Annotated[bool, Meta(description="True unless the verdict is `allow`: for `block` and for `review`.")]
    categories: Annotated[dict[OpenAICategory, bool], Meta(description="True for the category that decided.")]
    category_scores: Annotated[dict[OpenAICategory, float], Meta(description="Our probability; 0 where we have none.")]
    category_applied_input_types: dict[OpenAICategory, list[Literal["text"]]]
    sluicegate: OurModeration


class ModerationAnswer(Struct, frozen=True, kw_only=True):
    """Results in the order of the texts."""

    id: str
    model: Annotated[str, Meta(description="The version of the model that decided.")]
    results: list[ModerationResult]
