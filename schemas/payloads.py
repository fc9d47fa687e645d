"""Names a payload that is not a raw event by its first bytes, for the error in its dead letter.

Producers that are set up for another format find out what to change. Nothing of the payload is repeated except a
schema id.
"""

import string
from typing import Final

_MAGIC: Final = (
    (b"\x1f\x8b", "gzip data: send plain JSON, and let Kafka compress it (`compression.type`)"),
    (b"\x28\xb5\x2f\xfd", "zstd data: send plain JSON, and let Kafka compress it (`compression.type`)"),
    (b"\x04\x22\x4d\x18", "lz4 data: send plain JSON, and let Kafka compress it (`compression.type`)"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy data: send plain JSON, and let Kafka compress it (`compression.type`)"),
    (b"\x82SNAPPY\x00", "snappy data: send plain JSON, and let Kafka compress it (`compression.type`)"),
    (b"PK\x03\x04", "a zip archive: send plain JSON"),
    (b"Obj\x01", "an Avro container file: send plain JSON"),
    (b"\xc3\x01", "Avro's single-object encoding: send plain JSON"),
    (b"\xac\xed\x00\x05", "a serialised Java object: use a JSON serializer"),
    (b"\xff\xfe", "UTF-16 text: send UTF-8"),
    (b"\xfe\xff", "UTF-16 text: send UTF-8"),
)
_JSON_STARTS: Final = b'{["'
_CONFLUENT_HEADER: Final = 5
_TEXT: Final = frozenset(string.printable.encode())


def name_payload(value: bytes, event: str) -> str | None:
    """What `value`, which is not JSON, is instead of `event`, a whole one; None if unknown."""
    if not value:
        return "the value is empty"
    for magic, name in _MAGIC:
        if value.startswith(magic):
            return name
    if _is_utf16(value):
        return "UTF-16 text: send UTF-8"
    if value[0] == 0 and len(value) > _CONFLUENT_HEADER:
        schema_id = int.from_bytes(value[1:_CONFLUENT_HEADER], "big")
        return f"Confluent's wire format with schema id {schema_id}: use a plain JSON serializer, without a registry"
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
        return "a CloudEvents envelope: send the content of its `data` as the value (binary mode)"
    if isinstance(document, str) and document.lstrip()[:1] == "{":
        return "a JSON string that contains JSON: encode the object once"
    return None


def _is_utf16(value: bytes) -> bool:
    """Whether `value` is JSON in UTF-16 without a byte order mark."""
    return len(value) >= 4 and (
        (value[0] in _JSON_STARTS and value[1] == value[3] == 0)
        or (value[0] == value[2] == 0 and value[1] in _JSON_STARTS)
    )


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
