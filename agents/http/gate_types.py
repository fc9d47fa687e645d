"""The requests and answers of our own door. Their fields have the names and meanings that they have in the events."""

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct, field

from sluicegate.agents.http.errors import ErrorDetail
from sluicegate.decision import GateDecision
from sluicegate.schemas.events import EventId, Expansion, Suggestion
from sluicegate.schemas.events.fields import Label

Fail = Annotated[
    Literal["open", "closed"],
    Meta(
        description="Decision when the model gives no answer in time: `open` allows, `closed` reviews. "
        "Default: SLUICE_FAIL."
    ),
]
DeadlineMs = Annotated[
    float,
    Meta(ge=1, le=60_000, description="Time limit of the decision, in milliseconds; at most SLUICE_DEADLINE_MS."),
]
QueryText = Annotated[str, Meta(min_length=1, description="The user's words, unchanged.")]

Gate = Annotated[
    Literal["model", "list", "policy"],
    Meta(description="Who decided: the model, a list of the policy file, or SLUICE_FAIL where `degraded`."),
]
PolicyVersion = Annotated[str, Meta(description="Name and hash of the policy file, or of the model's own thresholds.")]


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller may say about a query, or about all queries of a batch."""

    event_id: (
        Annotated[EventId, Meta(description="Id of the decision, which the answer repeats. Default: a new one.")] | None
    ) = None
    user_id: Annotated[Label, Meta(description="Who searches.")] | None = None
    user_id_alias: Annotated[Label, Meta(description="The same as `user_id`.")] | None = field(
        name="userId", default=None
    )
    session_id: Annotated[Label, Meta(description="Session of the search.")] | None = None
    locale: Annotated[Label, Meta(description="Language and region, for example en-US.")] | None = None
    surface: Annotated[Label, Meta(description="Where the query was typed, for example web or app.")] | None = None
    fail: Fail | None = None
    deadline_ms: DeadlineMs | None = None


class Query(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One query."""

    text: QueryText


class QueryBatch(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several queries. They are decided together, and answered in their order."""

    texts: Annotated[list[str], Meta(min_length=1, description="The queries: at most SLUICE_HTTP_MAX_BATCH.")]


class Moderation(Struct, frozen=True, kw_only=True):
    """Whether one query may pass."""

    event_id: Annotated[str, Meta(description="Id of the decision: the caller's, or a new one.")]
    allow: Annotated[bool, Meta(description="True for the verdict `allow` only.")]
    verdict: Literal["allow", "block", "review"]
    gate: Gate
    category: Annotated[str | None, Meta(description="Why the query may be unsafe. Null when it is allowed.")]
    probability: Annotated[
        float,
        Meta(
            description="Of the category; of `allow` for an allowed query. Of the second model where it decided, like "
            "`category` and `reason`."
        ),
    ]
    reason: Annotated[str, Meta(description="The rule that decided, as in `block_threshold:illicit`.")]
    reason_codes: Annotated[tuple[str, ...], Meta(description="Everything that happened to the query, in order.")]
    probabilities: Annotated[
        dict[str, float],
        Meta(
            description="Of `allow` and of each category. Empty: `degraded`. Always of SLUICE_MODEL, also where the "
            "second model decided."
        ),
    ]
    degraded: Annotated[bool, Meta(description="True when the model did not answer and the policy decided.")]
    truncated: Annotated[bool, Meta(description="True when a part of the text could not be read: hardly ever.")]
    model_version: str
    policy_version: PolicyVersion


class Rewrite(Struct, frozen=True, kw_only=True):
    """One query as search engines should get it. A blocked query has no rewrite: nothing may search for it."""

    event_id: Annotated[str, Meta(description="Id of the decision: the caller's, or a new one.")]
    allow: Annotated[bool, Meta(description="True for the verdict `allow` only.")]
    verdict: Literal["allow", "block", "review"]
    reason: Annotated[str, Meta(description="The rule that decided, as in `block_threshold:illicit`.")]
    reason_codes: Annotated[tuple[str, ...], Meta(description="Everything that happened to the query, in order.")]
    query: Annotated[str, Meta(description="The normalised query.")]
    lexical: Annotated[str | None, Meta(description="The user's words, corrected, nothing invented: for BM25.")]
    semantic: Annotated[str | None, Meta(description="Corrected and expanded: for an embedding model.")]
    intent: Annotated[str | None, Meta(description="What the query wants.")]
    synonyms: Annotated[tuple[str, ...], Meta(description="Other words for what the query asks for.")]
    facets: Annotated[tuple[str, ...], Meta(description="Attributes that the query asks for, as `kind:value`.")]
    expansions: Annotated[
        tuple[Expansion, ...],
        Meta(description="What `synonyms` and `facets` were chosen from, likeliest first."),
    ]
    suggestions: Annotated[tuple[Suggestion, ...], Meta(description="Corrections that are likely but not certain.")]
    degraded: Annotated[bool, Meta(description="True when the model did not answer and the policy decided.")]
    truncated: Annotated[bool, Meta(description="True when the query was too long, and only its beginning was read.")]
    model_version: str
    policy_version: PolicyVersion


class GateAnswer(GateDecision, frozen=True, kw_only=True):
    """Everything that was decided about one query."""

    gate: Gate
    truncated: Annotated[bool, Meta(description="True when the query was too long, and only its beginning was read.")]


AnswerT = TypeVar("AnswerT")


class BatchItem(Struct, Generic[AnswerT], frozen=True, kw_only=True):
    """One query of a batch: its answer, or why it has none."""

    answer: AnswerT | None = None
    error: Annotated[ErrorDetail | None, Meta(description="Why this query was not decided. The others were.")] = None


class BatchAnswer(Struct, Generic[AnswerT], frozen=True, kw_only=True):
    """Answers in the order of the queries."""

    results: list[BatchItem[AnswerT]]
