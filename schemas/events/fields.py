"""Types and structs that several events share. Every field has a description: it is exported into the schemas."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from sluicegate.schemas.reason_codes import KNOWN_CODES
from sluicegate.schemas.vocabulary import Category, Intent

EventId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="Id of the event: the producer's, otherwise `topic-partition-offset` of the raw record. The same "
        "for every redelivery and every signed replay.",
    ),
]
Label = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Milliseconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Timestamp = Annotated[datetime, Meta(tz=True)]

CategoryName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        examples=[word.value for word in Category],
    ),
]
IntentName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="What the query wants. Accept values that you do not know.",
        examples=[word.value for word in Intent],
    ),
]
ReasonCodeName = Annotated[str, Meta(min_length=1, max_length=200, examples=list(KNOWN_CODES))]
Codes = Annotated[
    list[ReasonCodeName],
    Meta(description="Reason codes, in the order in which they arose. Accept codes that you do not know."),
]
Probabilities = Annotated[
    dict[str, Probability],
    Meta(description="Probability of `allow` and of each category. Empty when the model did not answer."),
]
Degraded = Annotated[bool, Meta(description="True when the model did not answer and the policy decided.")]
Reason = Annotated[ReasonCodeName, Meta(description="The reason code that decided. Accept codes that you do not know.")]


class Position(Struct, frozen=True, kw_only=True):
    """Where a record is in Kafka."""

    topic: Annotated[Label, Meta(description="Name of the topic.")]
    partition: Annotated[Count, Meta(description="Number of the partition.")]
    offset: Annotated[Count, Meta(description="Offset in the partition.")]

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"

    @property
    def in_kafka(self) -> bool:
        """Whether it is a place in Kafka: no topic of Kafka has a colon in its name."""
        return ":" not in self.topic


class Context(Struct, frozen=True, kw_only=True):
    """What the producer said about the query, passed on unchanged."""

    user_id: Annotated[Label, Meta(description="Who searches.")] | None = None
    session_id: Annotated[Label, Meta(description="Session of the search.")] | None = None
    locale: Annotated[Label, Meta(description="Language and region, for example en-US.")] | None = None
    surface: Annotated[Label, Meta(description="Where the query was typed, for example web or app.")] | None = None


class Output(Struct, frozen=True, kw_only=True):
    """What every output event carries."""

    event_id: EventId
    event_time: Annotated[Timestamp, Meta(description="When the user searched: the producer's time, or Kafka's.")]
    processing_time: Annotated[Timestamp, Meta(description="When the event was made.")]
    model_version: Annotated[Label, Meta(description="Version of the model that was in use.")]
    prompt_version: Annotated[Label, Meta(description="Version of the prompt that was in use.")]
    policy_version: Annotated[
        Label | None,
        Meta(
            description="Version of the policy that decided: the name of the policy file and a hash of it and its "
            "lists. Without a file `model-thresholds` and a hash of the model's thresholds. Null in older events."
        ),
    ] = None


SecondModelVersion = Annotated[
    Label | None,
    Meta(
        description="Version of the second model, where it gave an opinion on this query. The ledger says which. Null "
        "where the first model decided alone."
    ),
]


class Understood(Output, frozen=True, kw_only=True):
    """What the gate understood of a query that it did not block."""

    query: Annotated[Text, Meta(description="The normalised query.")]
    lexical: Annotated[Text, Meta(description="The user's words, corrected, with nothing invented: for BM25.")]
    semantic: Annotated[Text, Meta(description="The lexical query with synonyms and facets: for an embedding model.")]
    intent: IntentName
    synonyms: Annotated[list[Label], Meta(description="Other words for what the query asks for.")]
    facets: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=200, examples=["category:shoes", "colour:red"])]],
        Meta(description="Attributes that the query asks for, as `kind:value`. Accept kinds that you do not know."),
    ]
    reason_codes: Codes
    degraded: Degraded
    context: Context
    second_model_version: SecondModelVersion = None


class Threshold(Struct, frozen=True, kw_only=True):
    """Bounds of one category. Below `allow` it is ignored, from `block` on it blocks, in between it is reviewed."""

    allow: Annotated[Probability, Meta(description="Probability from which on the query is reviewed.")]
    block: Annotated[
        float, Meta(ge=0, description="Probability from which on the query is blocked. Above 1: never blocked.")
    ]

    def __post_init__(self) -> None:
        if self.block < self.allow:
            raise ValueError(f"block ({self.block}) must not be below allow ({self.allow})")


class Tokens(Struct, frozen=True, kw_only=True):
    """What the model read and wrote for this event."""

    input: Annotated[Count, Meta(description="Tokens read.")]
    output: Annotated[Count, Meta(description="Tokens written.")]
