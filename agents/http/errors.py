"""From an error to an HTTP answer: every status code that the application sends is in this file.

An answer that is an error has this body, which OpenAI's clients can read too:

    {"error": {"code": "invalid_field", "type": "invalid_request_error", "message": "…", "param": "$.text"}}

`message` is one sentence that says what to do. `param` names the field, or is null.
"""

import logging
import math
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from sluicegate.agents.error_text import describe_error
from sluicegate.schemas.errors import (
    BrokerUnavailable,
    CannotChat,
    ContractError,
    DeadlineExceeded,
    EngineFailed,
    FormatFailed,
    GateClosed,
    LedgerFailed,
    Overloaded,
    PromptTooLong,
    PublishFailed,
    RequestRefused,
    ReviewQueueFailed,
    SchemaRefused,
    SchemaUnknown,
    UpstreamFailed,
)

logger = logging.getLogger(__name__)


class ErrorDetail(Struct, frozen=True, kw_only=True):
    """What is wrong with a request, or with one item of a batch."""

    code: Annotated[str, Meta(description="What happened, for programs.")]
    type: Annotated[str, Meta(description="Kind of error, as OpenAI's clients know it.")]
    message: Annotated[str, Meta(description="What happened and what to do, for people.")]
    param: Annotated[str | None, Meta(description="The field that is wrong, as in `$.text`.")] = None


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """The body of every answer that is an error."""

    error: ErrorDetail


class Meaning(NamedTuple):
    """What a code of an error means in HTTP."""

    status: HTTPStatus
    type: str


MEANINGS: Final = {
    "invalid_json": Meaning(HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    "invalid_field": Meaning(HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    "unsupported": Meaning(HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    "invalid_request": Meaning(HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    "invalid_api_key": Meaning(HTTPStatus.UNAUTHORIZED, "authentication_error"),
    "content_policy_violation": Meaning(HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    "context_length_exceeded": Meaning(HTTPStatus.BAD_REQUEST, "invalid_request_error"),
    "model_not_found": Meaning(HTTPStatus.NOT_FOUND, "invalid_request_error"),
    "not_found": Meaning(HTTPStatus.NOT_FOUND, "invalid_request_error"),
    "method_not_allowed": Meaning(HTTPStatus.METHOD_NOT_ALLOWED, "invalid_request_error"),
    "conflict": Meaning(HTTPStatus.CONFLICT, "invalid_request_error"),
    "request_timeout": Meaning(HTTPStatus.REQUEST_TIMEOUT, "invalid_request_error"),
    "too_large": Meaning(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "invalid_request_error"),
    "unsupported_media_type": Meaning(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "invalid_request_error"),
    "misdirected_request": Meaning(HTTPStatus.MISDIRECTED_REQUEST, "invalid_request_error"),
    "schema_not_found": Meaning(HTTPStatus.NOT_FOUND, "invalid_request_error"),
    "cannot_format": Meaning(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request_error"),
    "unusable_text": Meaning(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request_error"),
    "rate_limited": Meaning(HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_error"),
    "overloaded": Meaning(HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_error"),
    "headers_too_large": Meaning(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "invalid_request_error"),
    "internal_error": Meaning(HTTPStatus.INTERNAL_SERVER_ERROR, "server_error"),
    "engine_failed": Meaning(HTTPStatus.SERVICE_UNAVAILABLE, "server_error"),
    "deadline_exceeded": Meaning(HTTPStatus.SERVICE_UNAVAILABLE, "server_error"),
    "upstream_failed": Meaning(HTTPStatus.BAD_GATEWAY, "server_error"),
    "ledger_failed": Meaning(HTTPStatus.SERVICE_UNAVAILABLE, "server_error"),
    "unavailable": Meaning(HTTPStatus.SERVICE_UNAVAILABLE, "server_error"),
}
"""By the code of a `RequestRefused`."""

_RETRY_AFTER_S: Final = 1.0
_RETRYABLE: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_CODES_OF_STATUS: Final = {
    HTTPStatus.NOT_FOUND: ("not_found", "there is nothing at this path: see /openapi.json"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "this path does not take this method: see /openapi.json"),
}

_encode: Final = msgspec.json.Encoder().encode


class ErrorResponse(NamedTuple):
    """A ready answer: its status, its body, and the headers that belong to this error."""

    status: HTTPStatus
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def refusal_of(error: Exception) -> RequestRefused:
    """`error` as the refusal that the client sees. A fault of ours is logged, and its message stays here."""
    match error:
        case RequestRefused():
            return error
        case CannotChat():
            return RequestRefused("model_not_found", str(error), field="$.model")
        case SchemaRefused():
            return RequestRefused("unsupported", str(error), field="$.schema")
        case SchemaUnknown():
            return RequestRefused("schema_not_found", str(error), field="$.schema_id")
        case FormatFailed():
            return RequestRefused("cannot_format", str(error), field="$.text")
        case ContractError():
            message, _, field = str(error).partition(" - at ")
            if isinstance(error, PromptTooLong):
                return RequestRefused("context_length_exceeded", message, field=field.strip("`") or None)
            return RequestRefused("unusable_text", message, field="$.text")
        case Overloaded():
            return RequestRefused("overloaded", "too many queries are waiting for the model: try again later")
        case DeadlineExceeded():
            return RequestRefused("deadline_exceeded", "the model did not answer in time: try again later")
        case EngineFailed():
            return RequestRefused("engine_failed", "the model failed on this request: try again later")
        case LedgerFailed():
            logger.error("a decision is not given away, because its audit record is not kept: %s", error)
            return RequestRefused("ledger_failed", "the audit record cannot be kept: try again later")
        case BrokerUnavailable() | PublishFailed():
            logger.error("a request needs Kafka: %s", error)
            return RequestRefused("unavailable", "Kafka does not answer: try again later")
        case ReviewQueueFailed():
            logger.error("%s", error)
            return RequestRefused("unavailable", "the review queue cannot be used: the log has the details")
        case UpstreamFailed():
            return RequestRefused("upstream_failed", f"{error}: try again later")
        case GateClosed():
            return RequestRefused("unavailable", "the gate is closed: try again later")
        case _:
            logger.error("a request failed: %s", describe_error(error))
            return RequestRefused("internal_error", "a fault of Sluicegate: its log has the details")


def refusal_of_status(status: int) -> RequestRefused:
    """What the client sees when Starlette answers with `status`: no route matched."""
    code, message = _CODES_OF_STATUS.get(HTTPStatus(status), ("invalid_request", "the request is not valid HTTP"))
    return RequestRefused(code, message)


def detail_of(refusal: RequestRefused) -> ErrorDetail:
    """The error of one item of a batch, or of a whole request."""
    meaning = MEANINGS[refusal.code]
    return ErrorDetail(code=refusal.code, type=meaning.type, message=str(refusal), param=refusal.field)


def response_to(refusal: RequestRefused) -> ErrorResponse:
    """The answer to a request that is refused."""
    status = MEANINGS[refusal.code].status
    headers: list[tuple[bytes, bytes]] = []
    if status in _RETRYABLE:
        retry_after_s = _RETRY_AFTER_S if refusal.retry_after_s is None else refusal.retry_after_s
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(retry_after_s))))
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="sluicegate"'))
    return ErrorResponse(status, _encode(ErrorAnswer(error=detail_of(refusal))), tuple(headers))
