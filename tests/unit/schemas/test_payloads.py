"""What is around a producer's JSON is taken off; a dead letter says what a payload is that cannot be read."""

import gzip
from collections.abc import Callable

import pytest

from sluicegate.schemas.codec import decode_raw_action, decode_raw_query, event_id_of
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import RawQuery
from sluicegate.schemas.payloads import MAX_UNPACKED_BYTES

QUERY = '{"query": "schöne 鞋子 👟", "event_id": "e1"}'
READ = RawQuery(query="schöne 鞋子 👟", event_id="e1")
WIRE_FORMAT = b"\x00\x00\x00\x00\x07"

WRAPPED: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 little-endian": lambda text: text.encode("utf-16-le"),
    "UTF-16 big-endian": lambda text: text.encode("utf-16-be"),
    "wire format": lambda text: WIRE_FORMAT + text.encode(),
    "byte order mark in gzip": lambda text: gzip.compress(text.encode("utf-8-sig")),
    "wire format in gzip": lambda text: gzip.compress(WIRE_FORMAT + text.encode()),
    "gzip in wire format": lambda text: WIRE_FORMAT + gzip.compress(text.encode()),
    "UTF-16 in gzip in wire format": lambda text: WIRE_FORMAT + gzip.compress(text.encode("utf-16-be")),
}
PLAIN = ("plain", "byte order mark")


@pytest.mark.parametrize("name", WRAPPED)
def test_the_event_is_read_whatever_is_around_it(name: str) -> None:
    value = WRAPPED[name](QUERY)
    assert decode_raw_query(value).query == READ
    assert event_id_of(value) == "e1"


@pytest.mark.parametrize("name", WRAPPED)
def test_a_broken_optional_field_costs_nothing_whatever_is_around_it(name: str) -> None:
    decoded = decode_raw_query(WRAPPED[name](QUERY.replace("}", ', "user_id": 7}')))
    assert (decoded.query, decoded.codes) == (READ, ("dropped:user_id",))


@pytest.mark.parametrize("name", [name for name in WRAPPED if name not in PLAIN])
def test_with_input_format_json_only_plain_json_is_an_event(name: str) -> None:
    value = WRAPPED[name](QUERY)
    with pytest.raises(ContractError, match=r"^(gzip|UTF-16|Confluent wire format, schema id 7)\b.*SLUICE_INPUT_FORM"):
        decode_raw_query(value, input_format="json")
    assert event_id_of(value) == "e1"  # the dead letter has the producer's id


def test_with_input_format_json_plain_json_is_read_as_ever() -> None:
    for name in PLAIN:
        assert decode_raw_query(WRAPPED[name](QUERY), input_format="json").query == READ
    assert decode_raw_query(b'{"query": "a", "user_id": 7}', input_format="json").codes == ("dropped:user_id",)


def test_an_action_may_come_in_the_same_formats() -> None:
    action = b'{"text": "remind me", "schema_id": "reminder"}'
    assert decode_raw_action(WIRE_FORMAT + gzip.compress(action)).action.text == "remind me"


def test_a_gzip_bomb_is_unpacked_no_further_than_a_record_may_be_large() -> None:
    largest = b'{"query": "%s"}' % (b"a" * (MAX_UNPACKED_BYTES - 13))
    assert len(decode_raw_query(gzip.compress(largest)).query.query) == MAX_UNPACKED_BYTES - 13
    with pytest.raises(ContractError, match="gzip data of more than 1 MiB unpacked: send smaller records"):
        decode_raw_query(gzip.compress(largest + b" "))
    with pytest.raises(ContractError, match="gzip data of more than 1 MiB"):
        decode_raw_query(gzip.compress(bytes(100_000_000)))


def test_half_a_surrogate_pair_in_utf_16_is_repaired() -> None:
    broken = '{"query": "red'.encode("utf-16-le") + b"\x00\xd8" + ' shoes"}'.encode("utf-16-le")
    assert decode_raw_query(broken).query.query == "red\N{REPLACEMENT CHARACTER} shoes"


def protobuf(text: bytes) -> bytes:
    """A message with the string field 1 and the integer field 2."""
    return b"\x0a" + bytes([len(text)]) + text + b"\x10\x07"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "the value is empty"),
        (b"\x00\x00\x00\x01\x2a\x12red shoes", "Confluent wire format, schema id 298, but no JSON in it"),
        (WIRE_FORMAT + b"\x00" + protobuf(b"red shoes"), "Use the JSON Schema serializer"),
        (WIRE_FORMAT + b'{"query": "half', "Confluent wire format, schema id 7: not JSON: Unterminated string"),
        (WIRE_FORMAT + b'{"quary": "a"}', "Confluent wire format, schema id 7: not a raw query: Object missing"),
        (gzip.compress(b"red shoes", mtime=0), "gzip: not JSON: plain text"),
        (gzip.compress(QUERY.encode(), mtime=0)[:-9], "gzip data that is cut off"),
        (b"\x1f\x8b\x08" + bytes(30), "gzip data that is "),
        (b"\x1f\x8bno gzip at all", "gzip data that is damaged"),
        (b"\xff\xfe", "UTF-16: not JSON: the value is empty"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x04\x22\x4d\x18\x64", "lz4"),
        (b"\x82SNAPPY\x00\x00", "snappy"),
        (b"Obj\x01\x04\x14avro.codec", "Avro container"),
        (b"\xc3\x01" + bytes(8), "Avro's single-object encoding"),
        (protobuf(b"red shoes"), "Protobuf"),
        (b"\xac\xed\x00\x05t\x00\x09red shoes", "Java"),
        (b"<query>red shoes</query>", "XML"),
        (b"red shoes", 'plain text: send a JSON object, {"query": "\u2026"}'),
        ("кроссовки".encode(), "plain text"),
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
