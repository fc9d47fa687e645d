"""Actions: free text in, JSON that follows the caller's JSON Schema out."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sluicegate.schemas.events.fields import (
    Codes,
    Context,
    Count,
    EventId,
    Label,
    Output,
    Position,
    Sha256,
    Timestamp,
    Tokens,
)

JsonPointer = Annotated[str, Meta(description="JSON pointer (RFC 6901); empty for the whole value.")]


def check_one_schema(schema: object, schema_id: str | None, schema_version: str | None) -> None:
    """Raises ValueError unless a text comes with exactly one schema: inline, or by its id."""
    if (schema is None) == (schema_id is None):
        raise ValueError("exactly one of `schema` and `schema_id` must be given")
    if schema_version is not None and schema_id is None:
        raise ValueError("`schema_version` needs `schema_id`")


class RawAction(Struct, frozen=True, kw_only=True):
    """A text as a producer sends it, and the schema that its JSON has to follow.

    Exactly one of `schema` and `schema_id` is required. Any other field that breaks its contract is ignored, with the
    reason code `dropped:FIELD`. Unknown fields are ignored.
    """

    text: Annotated[str, Meta(min_length=1, description="The text, unchanged.")]
    schema: Annotated[dict[str, Any], Meta(description="The JSON Schema (2020-12) itself.")] | None = None
    schema_id: Annotated[Label, Meta(description="Name of a schema in the folder of the workers.")] | None = None
    schema_version: (
        Annotated[Label, Meta(description="Its version. Default: the newest. Only with `schema_id`.")] | None
    ) = None
    event_id: EventId | None = None
    user_id: Annotated[Label, Meta(description="Who acts.")] | None = None
    session_id: Annotated[Label, Meta(description="Session of the action.")] | None = None
    locale: Annotated[Label, Meta(description="Language and region, for example en-US.")] | None = None
    surface: Annotated[Label, Meta(description="Where the text was written, for example web or app.")] | None = None
    event_time: (
        Annotated[Timestamp, Meta(description="When the user acted. Default: the record's Kafka timestamp.")] | None
    ) = None
    deadline_ms: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=60_000,
                description="Time after which the JSON is of no use, in milliseconds from when the worker received the "
                "record. An action that is late becomes a dead letter.",
            ),
        ]
        | None
    ) = None

    def __post_init__(self) -> None:
        check_one_schema(self.schema, self.schema_id, self.schema_version)


class FollowedSchema(Struct, frozen=True, kw_only=True):
    """The schema that the JSON follows."""

    id: Annotated[Label, Meta(description="Its name in the folder of the workers; `inline` if it came with the text.")]
    version: Annotated[Label | None, Meta(description="Its version. Null if it has none.")] = None
    hash: Annotated[Sha256, Meta(description="SHA-256 of the schema as compact JSON.")]


class Grounding(Struct, frozen=True, kw_only=True):
    """Where one value comes from."""

    pointer: Annotated[JsonPointer, Meta(description="The value, as a JSON pointer into `value`.")]
    how: Annotated[
        Label,
        Meta(
            description="`text`: a piece of the text. `number`, `date`: the text writes it in its own way. `enum`, "
            "`boolean`: one of the schema's values. `null`: the text does not say. Accept values that you do not know."
        ),
    ]
    start: Annotated[
        Count | None, Meta(description="First character of its place in the text, from 0. Null without a place.")
    ] = None
    end: Annotated[Count | None, Meta(description="The character behind its place in the text.")] = None


class FormattedAction(Output, frozen=True, kw_only=True):
    """The JSON that a text became. It was validated against the schema."""

    schema: Annotated[Literal["sluicegate.actions_formatted"], Meta(description="Name of the contract.")] = (
        "sluicegate.actions_formatted"
    )
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    value: Annotated[Any, Meta(description="The JSON that follows the caller's schema.")]
    json_schema: Annotated[FollowedSchema, Meta(description="The caller's schema.")]
    grounding: Annotated[list[Grounding], Meta(description="Where the values come from.")]
    ungrounded: Annotated[
        list[JsonPointer],
        Meta(description="Values that come from neither text nor schema, or are partly assumed. Check them."),
    ]
    tokens: Annotated[Tokens, Meta(description="What the model read and wrote. Zero without a model.")]
    reason_codes: Codes
    context: Context
    source: Annotated[Position, Meta(description="Where the raw action is, which has the text.")]


class FormattingTrace(Struct, frozen=True, kw_only=True):
    """How an action was formatted, in its ledger record."""

    json_schema: Annotated[FollowedSchema | None, Meta(description="The schema. Null if there was none to follow.")]
    ungrounded: Annotated[
        list[JsonPointer], Meta(description="Values that come from nowhere, or are partly assumed.")
    ] = field(default_factory=list)
    steps: Annotated[Count, Meta(description="Steps of the model. 0 without a model.")] = 0
    prefills: Annotated[Count, Meta(description="How often the model read its prompt.")] = 0
    reason_codes: Codes
