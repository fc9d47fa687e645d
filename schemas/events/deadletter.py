"""Records that could not be decided or formatted."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sluicegate.schemas.events.fields import Count, Label, Output, Position, Sha256, Text


class RecordHeader(Struct, frozen=True, kw_only=True):
    """One header of a record. Names may repeat."""

    name: Annotated[str, Meta(description="Name of the header.")]
    value: Annotated[bytes | None, Meta(description="Value of the header, base64.")]
    name_bytes: Annotated[
        bytes | None, Meta(description="Name of the header, base64, if it is not UTF-8; `name` then shows it escaped.")
    ] = None


class DeadLetter(Output, frozen=True, kw_only=True):
    """A record that could not be decided or formatted.

    Publishing its `key`, `value` and `headers` to the topic of its `source` again replays the event.
    """

    schema: Annotated[Literal["sluicegate.deadletter"], Meta(description="Name of the contract.")] = (
        "sluicegate.deadletter"
    )
    schema_version: Annotated[Literal[1], Meta(description="Version of the contract.")] = 1
    error_type: Annotated[
        Label,
        Meta(
            description="Class of the error.",
            examples=["ContractError", "PublishFailed"],
        ),
    ]
    error: Annotated[str, Meta(min_length=1, max_length=1024, description="What is wrong with the record, for people.")]
    source: Annotated[Position, Meta(description="Where the raw record is.")]
    key: Annotated[bytes | None, Meta(description="Key of the raw record, base64.")]
    value: Annotated[
        bytes | None, Meta(description="Value of the raw record, base64. Null for a tombstone, or if `value_omitted`.")
    ]
    headers: Annotated[list[RecordHeader], Meta(description="Headers of the raw record.")]
    value_omitted: Annotated[
        bool, Meta(description="True when the broker refused the whole record as too large: read it from `source`.")
    ] = False
    last_offset: Annotated[
        Count | None,
        Meta(
            description="Set if the record batch could not be read, so that key, value and headers are unknown: the "
            "letter stands for all offsets from that of `source` to this one."
        ),
    ] = None
    headers_omitted: Annotated[
        bool, Meta(description="True when the headers were too large, too: `headers` is empty.")
    ] = False
    key_omitted: Annotated[bool, Meta(description="True when the key was too large, too: `key` is null.")] = False

    input_hash: Annotated[
        Sha256 | None, Meta(description="SHA-256 of the raw record's value, if `value` was left out.")
    ] = None
    error_path: Annotated[
        Text | None,
        Meta(
            description="For an action: JSON pointer of what is wrong, in its schema if `error_type` is "
            "`SchemaRefused`, else in the JSON. Null for the whole.",
        ),
    ] = None
    error_keyword: Annotated[
        Label | None, Meta(description="For an action: the keyword of its schema that is wrong or was broken.")
    ] = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return not (self.value_omitted or self.headers_omitted or self.key_omitted)
