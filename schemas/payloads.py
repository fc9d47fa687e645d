"""What producers wrap around JSON, recognised by the first bytes and taken off; what cannot be read is named.

    gzip                     1f 8b
    UTF-16                   its byte order mark, or a zero byte beside every ASCII character
    Confluent wire format    00, four bytes of schema id, then the JSON of a JSON Schema serializer

An error names the format in the producer's terms, so that it is clear what to change. Nothing of the payload is
repeated except a schema id.
"""

import string
import zlib
from typing import Final, Literal, NamedTuple, TypeAlias

from sluicegate.schemas.errors import ContractError

InputFormat: TypeAlias = Literal["auto", "json"]
"""`auto`: what is around the JSON is taken off. `json`: only plain JSON in UTF-8 is an event."""

MAX_UNPACKED_BYTES: Final = 1024 * 1024
"""As large as a record may be without gzip."""

WIRE_FORMAT_BYTES: Final = 5
"""Magic byte and schema id: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/"""

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # zlib's number for a gzip header
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_MOST_LAYERS: Final = 3
_KAFKA_COMPRESSES: Final = "send plain JSON, and let Kafka compress it (`compression.type`)"
_MAGIC: Final = (
    (b"\x28\xb5\x2f\xfd", f"zstd data: {_KAFKA_COMPRESSES}"),
    (b"\x04\x22\x4d\x18", f"lz4 data: {_KAFKA_COMPRESSES}"),
    (b"\xff\x06\x00\x00sNaPpY", f"snappy data: {_KAFKA_COMPRESSES}"),
    (b"\x82SNAPPY\x00", f"snappy data: {_KAFKA_COMPRESSES}"),
    (b"PK\x03\x04", "a zip archive: send plain JSON"),
    (b"Obj\x01", "an Avro container file: send plain JSON"),
    (b"\xc3\x01", "Avro's single-object encoding: send plain JSON"),
    (b"\xac\xed\x00\x05", "a serialised Java object: use a JSON serializer"),
)
_JSON_STARTS: Final = b'{["'
_TEXT: Final = frozenset(string.printable.encode())


class Unwrapped(NamedTuple):
    """A payload without what was around it."""

    text: bytes
    """JSON in UTF-8, if the payload is JSON at all."""
    layers: tuple[str, ...]
    """What was around it, from the outside, for people. Empty: `text` is the payload itself."""


def unwrap(value: bytes) -> Unwrapped:
    """`value` without gzip, Confluent's wire format and UTF-16, in whatever order they come.

    Raises:
        ContractError: the gzip data is broken or too large; the wire format holds something else than JSON.
    """
    layers: list[str] = []
    while len(layers) < _MOST_LAYERS:
        if value.startswith(_GZIP):
            layers.append("gzip")
            value = _unpacked(value)
        elif _is_utf16(value):
            layers.append("UTF-16")
            value = _in_utf8(value)
        elif schema := confluent_schema(value):
            layers.append(schema)
            value = value[WIRE_FORMAT_BYTES:]
            if value.lstrip()[:1] != b"{" and not value.startswith(_GZIP) and not _is_utf16(value):
                raise ContractError(
                    f"{schema}, but no JSON in it: it looks like Avro or Protobuf. Use the JSON Schema serializer, or "
                    "plain JSON without a registry"
                )
        else:
            break
    return Unwrapped(value, tuple(layers))


def without_schema_id(value: bytes) -> bytes:
    """One of our own events, without the schema id that it has with SLUICE_OUTPUT_FORMAT=confluent."""
    is_framed = value[:1] == b"\0" and value[WIRE_FORMAT_BYTES : WIRE_FORMAT_BYTES + 1] == b"{"
    return value[WIRE_FORMAT_BYTES:] if is_framed else value


def confluent_schema(value: bytes) -> str | None:
    """ "Confluent wire format, schema id 7" if `value` begins like that; else None."""
    if value[:1] != b"\0" or len(value) <= WIRE_FORMAT_BYTES:
        return None
    return f"Confluent wire format, schema id {int.from_bytes(value[1:WIRE_FORMAT_BYTES])}"


def name_payload(value: bytes, event: str) -> str | None:
    """What `value`, which is not JSON, is instead of `event`, a whole one; None if unknown."""
    if not value:
        return "the value is empty"
    for magic, name in _MAGIC:
        if value.startswith(magic):
            return name
    if _is_protobuf_like(value):
        return "it looks like Protobuf: send plain JSON"
    if value.lstrip()[:1] == b"<":
        return "it looks like XML or HTML: send plain JSON"
    if _is_text(value) and value.decode().lstrip()[:1].isalpha():
        return f"plain text: send a JSON object, {event}"
    return None


def name_document(document: object) -> str | None:
    """What a JSON document that is no raw event is; None if unknown."""
    if isinstance(document, dict) and "specversion" in document:
        return "a CloudEvents envelope without `data`: send the event as its `data`"
    if isinstance(document, str) and document.lstrip()[:1] == "{":
        return "a JSON string that contains JSON: encode the object once"
    return None


def _unpacked(value: bytes) -> bytes:
    gzip = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = gzip.decompress(value, MAX_UNPACKED_BYTES)
    except zlib.error:
        raise ContractError("gzip data that is damaged") from None
    if gzip.unconsumed_tail:
        limit = f"{MAX_UNPACKED_BYTES >> 20} MiB"
        raise ContractError(f"gzip data of more than {limit} unpacked: send smaller records")
    if not gzip.eof:
        raise ContractError("gzip data that is cut off")
    return unpacked


def _is_utf16(value: bytes) -> bool:
    """Whether `value` has the byte order mark of UTF-16, or is JSON in UTF-16 without one."""
    return value.startswith(_BYTE_ORDER_MARKS) or (
        len(value) >= 4
        and (
            (value[0] in _JSON_STARTS and value[1] == value[3] == 0)
            or (value[0] == value[2] == 0 and value[1] in _JSON_STARTS)
        )
    )


def _in_utf8(value: bytes) -> bytes:
    """UTF-16 as UTF-8. Half a surrogate pair becomes a replacement character, which normalisation removes."""
    by_zeros = "utf-16-be" if value[0] == 0 else "utf-16-le"
    return value.decode("utf-16" if value.startswith(_BYTE_ORDER_MARKS) else by_zeros, "replace").encode()


def _is_protobuf_like(value: bytes) -> bool:
    """Whether `value` starts with a short length-delimited field number 1 to 15 and holds bytes that no text has."""
    starts = len(value) > 2 and value[0] & 0b111 == 2 and value[0] >> 3 in range(1, 16) and value[1] <= len(value) - 2
    return starts and (value[0] == 0x0A or not _is_text(value))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return all(byte in _TEXT or byte >= 0x80 for byte in value)
