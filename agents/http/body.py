"""A request's body, read within its limits."""

from typing import Final

from starlette.types import Receive, Scope

from sluicegate.schemas.errors import RequestRefused

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


def _require_json(content_type: bytes | None) -> None:
    if content_type is None:
        raise RequestRefused("unsupported_media_type", f"the request has no content type: {_JSON}")
    kind = content_type.partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise RequestRefused("unsupported_media_type", f"this path takes JSON only: {_JSON}")


def _too_large(most_bytes: int) -> RequestRefused:
    return RequestRefused("too_large", f"the body is larger than {most_bytes} bytes (SLUICE_HTTP_MAX_BODY_BYTES)")
