"""The input: raw queries."""

from typing import Annotated

from msgspec import Meta, Struct

from sluicegate.schemas.events.fields import EventId, Label, Timestamp


class RawQuery(Struct, frozen=True, kw_only=True):
    """A query as a producer sends it. Only `query` is required.

    An optional field that breaks its contract is ignored, with the reason code `dropped:FIELD`. Unknown fields are
    ignored. Of a key that is there twice, the last value counts.
    """

    query: Annotated[str, Meta(min_length=1, description="The user's words, unchanged.")]
    event_id: EventId | None = None
    user_id: Annotated[Label, Meta(description="Who searches.")] | None = None
    session_id: Annotated[Label, Meta(description="Session of the search.")] | None = None
    locale: Annotated[Label, Meta(description="Language and region, for example en-US.")] | None = None
    surface: Annotated[Label, Meta(description="Where the query was typed, for example web or app.")] | None = None
    event_time: (
        Annotated[Timestamp, Meta(description="When the user searched. Default: the record's Kafka timestamp.")] | None
    ) = None
    deadline_ms: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=60_000,
                description="Time after which an answer is of no use, in milliseconds from when the worker received "
                "the record. A query that is late only by this goes to review, even with `SLUICE_FAIL=open`.",
            ),
        ]
        | None
    ) = None
