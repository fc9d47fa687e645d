"""The formatter over HTTP: a text and a schema in, JSON that follows the schema out."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

from msgspec import Meta, Raw, Struct

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.formatting.formatting import failure_of
from sluicegate.agents.formatting.grounding import followed, grounding_of
from sluicegate.agents.formatting.ledger_record import make_formatting_record
from sluicegate.agents.http.deciding import new_event_id
from sluicegate.agents.http.gate_types import DeadlineMs
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.models.formatting.formatter import FormatFailure, Formatted
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.events import EventId, FollowedSchema, Grounding, StageLatencies, Tokens
from sluicegate.schemas.events.actions import JsonPointer, check_one_schema
from sluicegate.schemas.events.fields import Label


class FormatAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text, and the schema that its JSON has to follow: exactly one of `schema` and `schema_id`."""

    text: Annotated[str, Meta(min_length=1, description="The text, unchanged.")]
    schema: Annotated[dict[str, Any], Meta(description="The JSON Schema (2020-12) itself.")] | None = None
    schema_id: Annotated[Label, Meta(description="Name of a schema in SLUICE_FORMAT_SCHEMAS.")] | None = None
    schema_version: Annotated[Label, Meta(description="Its version. Default: the newest.")] | None = None
    event_id: Annotated[EventId, Meta(description="Id that the answer repeats. Default: a new one.")] | None = None
    deadline_ms: (
        Annotated[DeadlineMs, Meta(description="Time limit, in milliseconds; at most SLUICE_FORMAT_DEADLINE_MS.")]
        | None
    ) = None

    def __post_init__(self) -> None:
        check_one_schema(self.schema, self.schema_id, self.schema_version)


class FormatAnswer(Struct, frozen=True, kw_only=True):
    """The JSON that a text became. It was validated against the schema."""

    event_id: Annotated[str, Meta(description="Id of the request: the caller's, or a new one.")]
    value: Annotated[Any, Meta(description="The JSON that follows the schema.")]
    json_schema: Annotated[FollowedSchema, Meta(description="The schema.")]
    grounding: Annotated[list[Grounding], Meta(description="Where the values come from.")]
    ungrounded: Annotated[
        list[JsonPointer],
        Meta(description="Values that come from neither text nor schema, or are partly assumed. Check them."),
    ]
    tokens: Annotated[Tokens, Meta(description="What the model read and wrote. Zero without a model.")]
    model_version: str


async def _format(service: HttpService, call: Call[FormatAsked]) -> FormatAnswer:
    asked, formatting = call.body, service.formatting
    limit_ms = min(asked.deadline_ms or float("inf"), service.settings.format_deadline_ms)
    deadline = asyncio.get_running_loop().time() + limit_ms / 1000
    schema = await formatting.schema_of(asked.schema, asked.schema_id, asked.schema_version, deadline=deadline)
    event_id, received = asked.event_id or new_event_id(), datetime.now(UTC)
    batched = await formatting.format(asked.text, schema, call.span, deadline=deadline, wait=False)
    result, model_version = batched.result, formatting.formatter.model_version
    service.telemetry.record_stage(call.span, "queue", batched.queued_ns, batched.started_ns)
    service.telemetry.record_model(
        call.span,
        batched.started_ns,
        batched.ended_ns,
        model=model_version,
        input_tokens=result.input_tokens,
        output_tokens=result.output_tokens,
    )
    call.timings_ms["queue"] = (batched.started_ns - batched.queued_ns) / 1e6
    call.timings_ms["model"] = (batched.ended_ns - batched.started_ns) / 1e6
    await _keep(
        service, call, Stamp(event_id, received, model_version, formatting.formatter.prompt_version), schema, result
    )
    if isinstance(result, FormatFailure):
        raise failure_of(result)
    return FormatAnswer(
        event_id=event_id,
        value=Raw(result.value),  # as it is: an integer may have more than 64 bits
        json_schema=followed(schema),
        grounding=grounding_of(result),
        ungrounded=list(result.ungrounded),
        tokens=Tokens(input=result.input_tokens, output=result.output_tokens),
        model_version=model_version,
    )


async def _keep(
    service: HttpService,
    call: Call[FormatAsked],
    stamp: Stamp,
    schema: FormatSchema,
    result: Formatted | FormatFailure,
) -> None:
    """Keep the audit record of what became of the text, if SLUICE_HTTP_LEDGER is set.

    Raises:
        LedgerFailed: it could not be kept.
    """
    if service.recorder is None:
        return
    record = make_formatting_record(
        stamp,
        source=service.recorder.next_source(),
        trace_id=call.span.trace_id,
        result=result,
        schema=schema,
        latency_ms=StageLatencies(
            queue=call.timings_ms["queue"],
            model=call.timings_ms["model"],
            total=(datetime.now(UTC) - stamp.event_time).total_seconds() * 1000,
        ),
        input_hash=sha256(call.body.text.encode(errors="replace")).hexdigest(),
        error=failure_of(result) if isinstance(result, FormatFailure) else None,
    )
    await service.recorder.write(record, (("traceparent", call.span.traceparent),))


_NULL: Final = {"type": "null"}
_EXACTLY_ONE: Final = {
    "oneOf": [
        {
            "required": ["schema"],
            "properties": {"schema": {"type": "object"}, "schema_id": _NULL, "schema_version": _NULL},
        },
        {"required": ["schema_id"], "properties": {"schema_id": {"type": "string"}, "schema": _NULL}},
    ]
}

ROUTES: Final[Sequence[JsonRoute[Any]]] = (
    JsonRoute(
        "/v1/format",
        "format",
        "Turn a text into JSON of a schema.",
        FormatAsked,
        FormatAnswer,
        _format,
        body_rule=_EXACTLY_ONE,
    ),
)
