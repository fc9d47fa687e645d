"""A dead letter says what a payload is that is not JSON."""

import gzip

import pytest

from sluicegate.schemas.codec import decode_raw_query
from sluicegate.schemas.errors import ContractError

QUERY = '{"query": "red shoes"}'


def protobuf(text: bytes) -> bytes:
    """A message with the string field 1 and the integer field 2."""
    return b"\x0a" + bytes([len(text)]) + text + b"\x10\x07"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "the value is empty"),
        (b"\x00\x00\x00\x01\x2a" + QUERY.encode(), "Confluent's wire format with schema id 298"),
        (b"\x00\x00\x00\x00\x07\x12red shoes", "Confluent's wire format with schema id 7"),
        (gzip.compress(QUERY.encode(), mtime=0), "gzip"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x04\x22\x4d\x18\x64", "lz4"),
        (b"\x82SNAPPY\x00\x00", "snappy"),
        (QUERY.encode("utf-16"), "UTF-16"),
        (QUERY.encode("utf-16-le"), "UTF-16"),
        (QUERY.encode("utf-16-be"), "UTF-16"),
        (b"Obj\x01\x04\x14avro.codec", "Avro container"),
        (b"\xc3\x01" + bytes(8), "Avro's single-object encoding"),
        (protobuf(b"red shoes"), "Protobuf"),
        (b"\xac\xed\x00\x05t\x00\x09red shoes", "Java"),
        (b"<query>red shoes</query>", "XML"),
        (b"red shoes", 'plain text: send a JSON object, {"query": "\u2026"}'),
        ("кроссовки".encode(), "plain text"),
        (
            b'{"specversion": "1.0", "type": "search", "source": "/", "id": "1", "data": {"query": "a"}}',
            "a CloudEvents envelope",
        ),
        (rb'"{\"query\": \"a\"}"', "a JSON string that contains JSON"),
    ],
)
def test_the_error_names_what_the_payload_is(value: bytes, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        decode_raw_query(value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [b'{"query": "half', b"{'query': 'a'}", b"[1, 2", b"\x01\x02", b"\x00"])
def test_what_cannot_be_named_keeps_the_parsers_words(value: bytes) -> None:
    with pytest.raises(ContractError, match=r"^not JSON: .*char"):
        decode_raw_query(value)


def test_a_cloud_event_with_a_query_at_the_top_is_a_raw_query() -> None:
    assert decode_raw_query(b'{"specversion": "1.0", "query": "a"}').query.query == "a"
