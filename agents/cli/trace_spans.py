"""Reads the spans of a trace from the query API of Jaeger or Tempo.

Both answer `GET /api/traces/{id}`: Jaeger in its own JSON, Tempo in that of OTLP.
https://www.jaegertracing.io/docs/latest/architecture/apis/ and https://grafana.com/docs/tempo/latest/api_docs/
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import httpx
import msgspec

from sluicegate.agents.error_text import describe_error
from sluicegate.agents.local.otlp_receiver import ReceivedSpan, Scalar, Value

_TIMEOUT_S: Final = 10.0
_LARGEST: Final = 64 * 1024 * 1024


class TraceSpans(msgspec.Struct, frozen=True):
    """The spans of one trace; `problem` says why there are none."""

    trace_id: str
    spans: Sequence[ReceivedSpan] = ()
    problem: str | None = None


def spans_of(url: str | None, trace_ids: Iterable[str]) -> list[TraceSpans]:
    """The spans of each trace, from the API at `url`; empty without a URL."""
    if url is None:
        return []
    with httpx.Client(timeout=_TIMEOUT_S, headers={"accept": "application/json"}) as client:
        return [_spans_of(client, url, trace_id) for trace_id in trace_ids]


def _spans_of(client: httpx.Client, url: str, trace_id: str) -> TraceSpans:
    try:
        with client.stream("GET", f"{url}/api/traces/{trace_id}") as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                return TraceSpans(trace_id, problem="it has no such trace: it was not sampled, or is not kept any more")
            if response.status_code != httpx.codes.OK:
                return TraceSpans(trace_id, problem=f"it answers with status {response.status_code}")
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _LARGEST:
                    return TraceSpans(trace_id, problem=f"the trace is larger than {_LARGEST >> 20} MiB")
    except httpx.HTTPError as error:
        return TraceSpans(trace_id, problem=f"it cannot be read: {describe_error(error)}")
    try:
        spans = parse_trace(bytes(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError):
        return TraceSpans(trace_id, problem="its answer is not that of Jaeger or Tempo: check SLUICE_TRACES_URL")
    return TraceSpans(trace_id, spans, None if spans else "the trace has no spans")


class _JaegerTag(msgspec.Struct):
    key: str
    value: Scalar | None = None


class _JaegerReference(msgspec.Struct):
    spanID: str  # noqa: N815 - here and below, Jaeger's and OTLP's names
    traceID: str  # noqa: N815
    refType: str = "CHILD_OF"  # noqa: N815


class _JaegerSpan(msgspec.Struct):
    traceID: str  # noqa: N815
    spanID: str  # noqa: N815
    operationName: str  # noqa: N815
    startTime: int  # noqa: N815
    duration: int
    processID: str = ""  # noqa: N815
    references: list[_JaegerReference] = []
    tags: list[_JaegerTag] = []


class _JaegerProcess(msgspec.Struct):
    serviceName: str = ""  # noqa: N815


class _JaegerTrace(msgspec.Struct):
    spans: list[_JaegerSpan] = []
    processes: dict[str, _JaegerProcess] = {}


class _OtlpArray(msgspec.Struct):
    values: "list[_OtlpValue]" = []


class _OtlpValue(msgspec.Struct):
    stringValue: str | None = None  # noqa: N815
    boolValue: bool | None = None  # noqa: N815
    intValue: int | str | None = None  # noqa: N815
    doubleValue: float | None = None  # noqa: N815
    arrayValue: _OtlpArray | None = None  # noqa: N815


class _OtlpAttribute(msgspec.Struct):
    key: str
    value: _OtlpValue


class _OtlpStatus(msgspec.Struct):
    code: int | str = 0


class _OtlpLink(msgspec.Struct):
    traceId: str  # noqa: N815
    spanId: str  # noqa: N815


class _OtlpSpan(msgspec.Struct):
    traceId: str  # noqa: N815
    spanId: str  # noqa: N815
    name: str
    startTimeUnixNano: int | str  # noqa: N815
    endTimeUnixNano: int | str  # noqa: N815
    parentSpanId: str = ""  # noqa: N815
    kind: int | str = ""
    attributes: list[_OtlpAttribute] = []
    links: list[_OtlpLink] = []
    status: _OtlpStatus = msgspec.field(default_factory=_OtlpStatus)


class _OtlpScope(msgspec.Struct):
    spans: list[_OtlpSpan] = []


class _OtlpResource(msgspec.Struct):
    attributes: list[_OtlpAttribute] = []


class _OtlpBatch(msgspec.Struct):
    resource: _OtlpResource = msgspec.field(default_factory=_OtlpResource)
    scopeSpans: list[_OtlpScope] = []  # noqa: N815


class _Answer(msgspec.Struct):
    data: list[_JaegerTrace] | None = None
    batches: list[_OtlpBatch] | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def parse_trace(answer: bytes) -> list[ReceivedSpan]:
    """The spans in an answer of Jaeger or Tempo, each once.

    Raises:
        DecodeError, ValueError: it is something else.
    """
    decoded = _decode(answer)
    if decoded.data is not None:
        spans = [span for trace in decoded.data for span in _of_jaeger(trace)]
    elif decoded.batches is not None:
        spans = [span for batch in decoded.batches for span in _of_otlp(batch)]
    else:
        raise ValueError("neither data nor batches")
    return list({span.span_id: span for span in spans}.values())


def _of_jaeger(trace: _JaegerTrace) -> Iterator[ReceivedSpan]:
    for span in trace.spans:
        parents = [each for each in span.references if each.traceID == span.traceID and each.refType == "CHILD_OF"]
        tags = {tag.key: tag.value for tag in span.tags if tag.value is not None}
        process = trace.processes.get(span.processID, _JaegerProcess())
        yield ReceivedSpan(
            trace_id=span.traceID,
            span_id=span.spanID,
            parent_id=parents[0].spanID if parents else None,
            name=span.operationName,
            kind=str(tags.pop("span.kind", "internal")),
            service=process.serviceName,
            start_ns=span.startTime * 1000,
            end_ns=(span.startTime + span.duration) * 1000,
            links=tuple((each.traceID, each.spanID) for each in span.references if each not in parents),
            failed=tags.pop("error", False) is True,
            attributes=tags,
        )


def _of_otlp(batch: _OtlpBatch) -> Iterator[ReceivedSpan]:
    service = str(_attributes(batch.resource.attributes).get("service.name", ""))
    for span in (span for scope in batch.scopeSpans for span in scope.spans):
        yield ReceivedSpan(
            trace_id=_hex(span.traceId),
            span_id=_hex(span.spanId),
            parent_id=_hex(span.parentSpanId) or None,
            name=span.name,
            kind=str(span.kind).removeprefix("SPAN_KIND_").lower(),
            service=service,
            start_ns=int(span.startTimeUnixNano),
            end_ns=int(span.endTimeUnixNano),
            attributes=_attributes(span.attributes),
            links=tuple((_hex(link.traceId), _hex(link.spanId)) for link in span.links),
            failed=span.status.code in (2, "STATUS_CODE_ERROR"),
        )


def _attributes(attributes: Iterable[_OtlpAttribute]) -> dict[str, Value]:
    read = {each.key: _value(each.value) for each in attributes}
    return {key: value for key, value in read.items() if value is not None}


def _value(value: _OtlpValue) -> Value | None:
    if value.arrayValue:
        return tuple(each for each in map(_value, value.arrayValue.values) if isinstance(each, Scalar))
    if value.intValue is not None:
        return int(value.intValue)
    scalars = (value.stringValue, value.boolValue, value.doubleValue)
    return next((each for each in scalars if each is not None), None)


def _hex(written: str) -> str:
    """An id, which OTLP's JSON has in hexadecimal, and that of Protobuf, as Tempo writes it, in base64."""
    if len(written) in (0, 16, 32):
        return written
    try:
        return base64.b64decode(written, validate=True).hex()
    except binascii.Error:
        raise ValueError("an id is neither hexadecimal nor base64") from None
