"""Every event that crosses a topic, as a frozen struct. The JSON Schema and AsyncAPI files are made from here.

How contracts evolve: a version only ever gains optional fields, and readers ignore fields they do not know. Anything
else (a field removed, renamed, made required, given another meaning) is a new `schema_version` on a topic with a new
suffix, published beside the old one until its readers have moved.

Times are RFC 3339 in UTC. Probabilities are in [0, 1]. Latencies are in milliseconds.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

EventId = Annotated[
    str, Meta(min_length=1, max_length=200, description="The producer's id, else `topic-partition-offset`.")
]
Label = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Milliseconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Timestamp = Annotated[datetime, Meta(tz=True)]
OutcomeName = Literal["allowed", "blocked", "review", "deadletter"]
Codes = Annotated[list[Label], Meta(description="Reason codes, in the order in which they arose.")]


class RawQuery(Struct, frozen=True, kw_only=True):
    """A query as a producer sends it. Only `query` is required; unknown fields are ignored."""

    query: Annotated[str, Meta(min_length=1, description="The user's words, untouched.")]
    event_id: EventId | None = None
    user_id: Label | None = None
    session_id: Label | None = None
    locale: Label | None = None
    surface: Label | None = None
    event_time: Timestamp | None = None
    deadline_ms: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=60_000,
                description="How long after the worker received it an answer is still of use. "
                "A query that is late only by this goes to review, even with `SLUICE_FAIL=open`.",
            ),
        ]
        | None
    ) = None


class Context(Struct, frozen=True, kw_only=True):
    """What the producer said about the query, handed on as it came."""

    user_id: Label | None = None
    session_id: Label | None = None
    locale: Label | None = None
    surface: Label | None = None


class Output(Struct, frozen=True, kw_only=True):
    """What every output event carries."""

    event_id: EventId
    event_time: Timestamp
    processing_time: Timestamp
    model_version: Label
    prompt_version: Label


class Understood(Output, frozen=True, kw_only=True):
    """What the gate made of a query that was not blocked."""

    query: Annotated[Text, Meta(description="The normalised query.")]
    lexical: Annotated[Text, Meta(description="The user's terms, corrected, nothing invented: for BM25.")]
    semantic: Annotated[Text, Meta(description="Corrected and expanded: for an embedding model.")]
    intent: Label
    synonyms: list[Label]
    facets: list[Label]
    reason_codes: Codes
    degraded: Annotated[bool, Meta(description="True when the model could not be asked and the policy decided.")]
    context: Context


class Recall(Understood, frozen=True, kw_only=True):
    """An allowed query, for whatever finds candidates."""

    schema: Literal["sluicegate.recall"] = "sluicegate.recall"
    schema_version: Literal[1] = 1


class Score(Struct, frozen=True, kw_only=True):
    """One explainable nudge for a ranker."""

    name: Label
    value: Probability
    reason: Label


class Ranking(Output, frozen=True, kw_only=True):
    """An allowed query, for whatever orders candidates."""

    schema: Literal["sluicegate.ranking"] = "sluicegate.ranking"
    schema_version: Literal[1] = 1
    intent: Label
    allow_probability: Annotated[Probability | None, Meta(description="Null when degraded: the model was not asked.")]
    scores: list[Score]
    reason_codes: Codes
    degraded: bool
    context: Context


class Blocked(Output, frozen=True, kw_only=True):
    """A query that goes no further. It does not repeat the user's words."""

    schema: Literal["sluicegate.blocked"] = "sluicegate.blocked"
    schema_version: Literal[1] = 1
    allow: Literal[False] = False
    gate: Literal["model", "reviewer"] = "model"
    category: Label
    probability: Probability
    reason: Label
    reason_codes: Codes
    context: Context


class Review(Understood, frozen=True, kw_only=True):
    """A query that a heavier reviewer must decide, with all that an allow would need to go on."""

    schema: Literal["sluicegate.review"] = "sluicegate.review"
    schema_version: Literal[1] = 1
    category: Label | None
    probabilities: dict[str, Probability]
    reason: Label


class Reviewed(Output, frozen=True, kw_only=True):
    """A reviewer's verdict. The review it answers travels with it, so that an allow needs no join."""

    schema: Literal["sluicegate.reviewed"] = "sluicegate.reviewed"
    schema_version: Literal[1] = 1
    allow: bool
    category: Label | None = None
    reviewer: Label
    rationale: Annotated[str, Meta(max_length=4096)] | None = None
    review: Review


class Position(Struct, frozen=True, kw_only=True):
    """Where a record lies."""

    topic: Label
    partition: Count
    offset: Count

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"


class RecordHeader(Struct, frozen=True, kw_only=True):
    """One header of a record; names may repeat."""

    name: str
    value: bytes | None


class DeadLetter(Output, frozen=True, kw_only=True):
    """A record that could not be decided, whole: replaying `key`, `value` and `headers` is replaying the event."""

    schema: Literal["sluicegate.deadletter"] = "sluicegate.deadletter"
    schema_version: Literal[1] = 1
    error_type: Label
    error: Annotated[str, Meta(min_length=1, max_length=1024)]
    source: Position
    key: bytes | None
    value: Annotated[bytes | None, Meta(description="Null for a tombstone, or when `value_omitted`.")]
    headers: list[RecordHeader]
    value_omitted: Annotated[
        bool, Meta(description="The broker refused the whole record as too large: fetch the value from `source`.")
    ] = False


class Threshold(Struct, frozen=True, kw_only=True):
    """Of one category: below `allow` it is no concern, from `block` on it blocks, between them it is reviewed."""

    allow: Probability
    block: Annotated[float, Meta(ge=0, description="Above 1: never blocked without review.")]

    def __post_init__(self) -> None:
        if self.block < self.allow:
            raise ValueError(f"block ({self.block}) must not be below allow ({self.allow})")


class DecisionTrace(Struct, frozen=True, kw_only=True):
    """How the verdict came about."""

    verdict: Literal["allow", "block", "review"]
    category: Label | None
    reason: Label
    probabilities: dict[str, Probability]
    thresholds: dict[str, Threshold]
    normalisation: Codes
    reason_codes: Codes
    intent: Label
    degraded: bool
    answered_by: Annotated[
        Literal["model", "cache", "in_flight", "policy"],
        Meta(description="`cache`: an equal query was judged before, `in_flight`: at the same time; no tokens then."),
    ] = "model"


class StageLatencies(Struct, frozen=True, kw_only=True):
    """Where the time went. Stages that an event did not reach are null."""

    normalise: Milliseconds | None = None
    queue: Milliseconds | None = None
    model: Milliseconds | None = None
    validate: Milliseconds | None = None
    publish: Milliseconds | None = None
    total: Milliseconds


class Tokens(Struct, frozen=True, kw_only=True):
    """What the model read and wrote for this event."""

    input: Count
    output: Count


class LedgerRecord(Output, frozen=True, kw_only=True):
    """The audit record of one event: enough to find it, explain it and replay it."""

    schema: Literal["sluicegate.ledger"] = "sluicegate.ledger"
    schema_version: Literal[1] = 1
    source: Position
    outcome: OutcomeName
    outputs: list[Position]
    trace_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    labels_version: Label
    prompt_hash: Sha256 | None
    output_hash: Sha256 | None
    tokens: Tokens
    latency_ms: StageLatencies
    decision: DecisionTrace | None
    validation: Annotated[str, Meta(min_length=1, max_length=1024, description="`valid`, or what the input broke.")]
    query: Annotated[str | None, Meta(description="The normalised query, only where SLUICE_LEDGER_TEXT allows it.")] = (
        None
    )
    shadow: Annotated[
        bool, Meta(description="True: what a candidate model would have decided; nothing was published for it.")
    ] = False
    input_hash: Annotated[Sha256 | None, Meta(description="SHA-256 of the input record's value.")] = None
    replay_of: Annotated[
        Label | None, Meta(description="Of a replay: `topic-partition-offset` of the record that it repeats.")
    ] = None


OutputEvent = Recall | Ranking | Blocked | Review | Reviewed | DeadLetter | LedgerRecord
