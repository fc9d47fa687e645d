"""The audit record of every event."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sluicegate.schemas.events.actions import FormattingTrace
from sluicegate.schemas.events.fields import (
    CategoryName,
    Codes,
    Context,
    Count,
    Degraded,
    IntentName,
    Label,
    Milliseconds,
    Output,
    Position,
    Probabilities,
    Reason,
    ReasonCodeName,
    Sha256,
    Threshold,
    Tokens,
)

OutcomeName = Literal["allowed", "blocked", "review", "deadletter", "formatted"]


class ReadingTrace(Struct, frozen=True, kw_only=True):
    """The verdict of one reading of the query."""

    name: Annotated[
        Label,
        Meta(
            description="`query`: as it was typed. `skeleton`: with disguise undone. `window`: a part of a long query. "
            "`correction` and `rewrite`: what would be published. Accept names that you do not know."
        ),
    ]
    verdict: Annotated[Literal["allow", "block", "review"], Meta(description="What the model's answer means for it.")]
    reason: Reason


class SecondTrace(Struct, frozen=True, kw_only=True):
    """What the second model said about a query that the first one, the screen, was unsure of."""

    model_version: Annotated[Label, Meta(description="Version of the second model.")]
    prompt_version: Annotated[Label, Meta(description="Version of its prompt.")]
    policy_version: Annotated[Label, Meta(description="Version of the policy that judged its probabilities.")]
    asked_for: Annotated[
        Label,
        Meta(
            description="Why it was asked. `review`: the screen would review the query. `block`: the screen would "
            "block it for a category that needs both models. `readings`: the screen would block it, and judged the "
            "query and its skeleton differently. `sample`: to compare the models; the decision does not depend on it. "
            "Accept values that you do not know."
        ),
    ]
    outcome: Annotated[
        Label,
        Meta(
            description="`answered`, `overloaded` (no place, no time) or `failed`. Accept values that you do not know."
        ),
    ]
    error: Annotated[Label | None, Meta(description="Why it did not answer, as in `DeadlineExceeded`.")] = None
    decided: Annotated[bool, Meta(description="True: the verdict of the event is its verdict.")] = False
    screened_verdict: Annotated[
        Literal["allow", "block", "review"], Meta(description="What the screen alone would have decided.")
    ]
    screened_category: Annotated[CategoryName | None, Meta(description="The category of that verdict.")] = None
    screened_reason: Reason
    verdict: Annotated[
        Literal["allow", "block", "review"] | None, Meta(description="Its verdict. Null if it did not answer.")
    ] = None
    category: Annotated[CategoryName | None, Meta(description="The category of its verdict.")] = None
    reason: Annotated[ReasonCodeName | None, Meta(description="The reason code of its verdict.")] = None
    probabilities: Probabilities = field(default_factory=dict)
    thresholds: Annotated[dict[str, Threshold], Meta(description="Its thresholds of each category at that time.")] = (
        field(default_factory=dict)
    )
    readings: Annotated[
        list[ReadingTrace],
        Meta(description="Its verdict about each reading that the screen did not allow; the strictest counts."),
    ] = field(default_factory=list)
    answered_by: Annotated[
        Label | None, Meta(description="`model`, `cache` or `in_flight`, as for the screen. Null without an answer.")
    ] = None
    prompt_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of what it read.")] = None
    output_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of what it wrote.")] = None
    tokens: Annotated[Tokens, Meta(description="Its tokens. Zero for answers from the cache.")]
    queue_ms: Annotated[Milliseconds | None, Meta(description="Waiting for it, where it was asked itself.")] = None
    model_ms: Annotated[Milliseconds | None, Meta(description="Its call, where it was asked itself.")] = None


class DecisionTrace(Struct, frozen=True, kw_only=True):
    """How the verdict was reached."""

    verdict: Annotated[Literal["allow", "block", "review"], Meta(description="What was decided.")]
    category: Annotated[CategoryName | None, Meta(description="The category that decided. Null for an allowed query.")]
    reason: Reason
    probabilities: Probabilities
    thresholds: Annotated[dict[str, Threshold], Meta(description="Thresholds of each category at that time.")]
    normalisation: Annotated[Codes, Meta(description="Codes of the normalisation alone.")]
    reason_codes: Codes
    intent: IntentName
    degraded: Degraded
    answered_by: Annotated[
        Literal["model", "cache", "in_flight", "policy"],
        Meta(
            description="`model`: asked for this event. `cache`: an equal query had been answered. `in_flight`: an "
            "equal query was being answered. `policy`: no answer."
        ),
    ] = "model"
    readings: Annotated[
        list[ReadingTrace],
        Meta(description="The verdict of each reading; the strictest counts."),
    ] = field(default_factory=list)
    second: Annotated[
        SecondTrace | None,
        Meta(
            description="What the second model said. Null if it was not asked. `probabilities`, `thresholds`, `intent` "
            "and `readings` beside it are those of the screen."
        ),
    ] = None


class StageLatencies(Struct, frozen=True, kw_only=True):
    """Time in each stage. A stage that the event did not reach is null."""

    normalise: Annotated[Milliseconds | None, Meta(description="Cleaning and tokenising the query.")] = None
    queue: Annotated[Milliseconds | None, Meta(description="Waiting for the model.")] = None
    model: Annotated[Milliseconds | None, Meta(description="The model's call.")] = None
    second: Annotated[
        Milliseconds | None, Meta(description="From the screen's verdict to the second model's, or to its time limit.")
    ] = None
    validate: Annotated[Milliseconds | None, Meta(description="Making and checking the outputs.")] = None
    publish: Annotated[Milliseconds | None, Meta(description="Until the broker acknowledged every output.")] = None
    total: Annotated[Milliseconds, Meta(description="From receiving the record to writing the ledger.")]


class AskedReviewer(Struct, frozen=True, kw_only=True):
    """A reviewer that was asked and did not decide."""

    reviewer: Annotated[Label, Meta(description="Who was asked.")]
    reason: Annotated[
        Label, Meta(description="Why it did not decide, as in `timed_out`. Accept values that you do not know.")
    ]


class ReviewTrace(Struct, frozen=True, kw_only=True):
    """How a review event was decided. The rationale is in the reviewed event alone: it may quote the query."""

    reviewer: Annotated[
        Label | None, Meta(description="Who decided. Null for a query that waits for people (`outcome` is `review`).")
    ]
    allow: Annotated[bool | None, Meta(description="What was decided.")]
    category: Annotated[CategoryName | None, Meta(description="Why the query is unsafe, if it is.")] = None
    fallback: Annotated[
        Label | None, Meta(description="`gate`, `block` or `hold`, where no reviewer answered and the policy decided.")
    ] = None
    prompt_version: Annotated[Label | None, Meta(description="Version of the reviewer's prompt.")] = None
    prompt_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of the prompt, without the query.")] = None
    rounds: Annotated[
        Count, Meta(description="How often the reviewers were asked in turn: more than once if it was held.")
    ] = 1
    unanswered: Annotated[
        list[AskedReviewer], Meta(description="The reviewers of the last round that did not decide.")
    ] = field(default_factory=list)
    cost: Annotated[
        float, Meta(ge=0, description="What the deciding answer cost, in the currency of the prices in the settings.")
    ] = 0.0


class LedgerRecord(Output, frozen=True, kw_only=True):
    """The audit record of one event: enough to find it, explain it and replay it."""

    schema: Annotated[Literal["sluicegate.ledger"], Meta(description="Name of the contract.")] = "sluicegate.ledger"
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    source: Annotated[
        Position,
        Meta(
            description="Where the raw record is. For a query that was decided without Kafka: the door and the host, "
            "as `gate:web-1`, the id of the process, and the number of the query in it."
        ),
    ]
    outcome: Annotated[OutcomeName, Meta(description="What happened to the event.")]
    outputs: Annotated[list[Position], Meta(description="Where the outputs are.")]
    trace_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="W3C trace id of the event.")]
    labels_version: Annotated[Label, Meta(description="Version of the categories and intents.")]
    prompt_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of what the model read. Null if not asked.")]
    output_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of what the model wrote. Null if not asked.")]
    tokens: Annotated[
        Tokens,
        Meta(description="Tokens of all readings of the query. Zero for answers from the cache."),
    ]
    latency_ms: Annotated[StageLatencies, Meta(description="Time in each stage, in milliseconds.")]
    decision: Annotated[
        DecisionTrace | None,
        Meta(description="How it was decided. Null for a dead letter, for a review and for an action."),
    ]
    validation: Annotated[
        str, Meta(min_length=1, max_length=1024, description="`valid`, or the error of the dead letter.")
    ]
    query: Annotated[str | None, Meta(description="The normalised query, only with SLUICE_LEDGER_TEXT=true.")] = None
    shadow: Annotated[
        bool, Meta(description="True: what a candidate model would have decided. Nothing was published for it.")
    ] = False
    input_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of the raw record's value.")] = None
    replay_of: Annotated[
        Label | None,
        Meta(description="For a replay: `topic-partition-offset` of the record that it repeats."),
    ] = None
    sluicegate_version: Annotated[
        Label | None,
        Meta(description="Version of Sluicegate that made the record. Null: a version before this field."),
    ] = None
    context: Annotated[
        Context | None,
        Meta(description="What the caller said about the query. Null for an event from Kafka: its outputs have it."),
    ] = None
    review: Annotated[
        ReviewTrace | None,
        Meta(description="For a review: how the reviewers decided. `source` is then where the review event is."),
    ] = None
    formatting: Annotated[
        FormattingTrace | None, Meta(description="How an action was formatted. Null for a query.")
    ] = None
