"""A request's body: read within its limits, and decoded in one pass of msgspec."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from starlette.types import Receive, Scope

from sluicegate.schemas.errors import RequestRefused

BodyT = TypeVar("BodyT")

_JSON: Final = "send `Content-Type: application/json`"


class ClientGone(Exception):
    """The client closed the connection before its request was complete: there is nobody to answer."""


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The header `name`, in lower case; the first one if it is repeated."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


async def read_body(scope: Scope, receive: Receive, most_bytes: int) -> bytes:
    """The whole body of the request.

    Raises:
        RequestRefused: it is not declared as JSON, or has more than `most_bytes`.
        ClientGone: the client did not send all of it.
    """
    _require_json(header_of(scope, b"content-type"))
    declared = header_of(scope, b"content-length")
    if declared is not None and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            raise _too_large(most_bytes)
    return b"".join(parts)


def decode_body(body: bytes, decode: Callable[[bytes], BodyT]) -> BodyT:
    """The request in `body`.

    Raises:
        RequestRefused: it is not JSON, or not what the route takes. The message names the field.
    """
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        message, _, field = str(error).partition(" - at ")
        raise RequestRefused("invalid_field", message, field=field.strip("`") or None) from None
    except UnicodeDecodeError:
        raise RequestRefused("invalid_json", "the body is not UTF-8: encode the JSON as UTF-8") from None
    except RecursionError:
        raise RequestRefused("invalid_json", "the body is nested too deeply: send one flat JSON object") from None
    except (msgspec.DecodeError, OverflowError, ValueError) as error:
        raise RequestRefused("invalid_json", f"the body is not JSON: {error}") from None


def _require_json(content_type: bytes | None) -> None:
    if content_type is None:
        raise RequestRefused("unsupported_media_type", f"the request has no content type: {_JSON}")
    kind = content_type.partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise RequestRefused("unsupported_media_type", f"this path takes JSON only: {_JSON}")


def _too_large(most_bytes: int) -> RequestRefused:
    return RequestRefused("too_large", f"the body is larger than {most_bytes} bytes (SLUICE_HTTP_MAX_BODY_BYTES)")
