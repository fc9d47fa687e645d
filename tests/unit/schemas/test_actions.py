"""Raw actions in, formatted ones out: what is refused, what is dropped, and what crosses the wire unchanged."""

from datetime import UTC, datetime

import msgspec
import pytest

from sluicegate.schemas.codec import decode_raw_action, encode
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import Context, FollowedSchema, FormattedAction, Position, Tokens

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_field_of_an_action_that_breaks_its_contract_is_dropped_unless_it_says_what_to_do() -> None:
    read = decode_raw_action(b'{"text": "a", "schema_id": "s", "locale": 7, "deadline_ms": 0, "user_id": "u"}')
    assert (read.action.user_id, read.action.locale, read.action.deadline_ms) == ("u", None, None)
    assert set(read.codes) == {"dropped:locale", "dropped:deadline_ms"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "tombstone"),
        (b"book a table", 'plain text: send a JSON object, {"text": "…", "schema_id": "…"}'),
        (b'{"query": "shoes"}', "`text`"),
        (b'{"text": "a"}', "exactly one of `schema` and `schema_id`"),
        (b'{"text": "a", "schema": {}, "schema_id": "s"}', "exactly one of `schema` and `schema_id`"),
        (b'{"text": "a", "schema": {}, "schema_version": "1"}', "`schema_version` needs `schema_id`"),
        (b'{"text": "a", "schema": "{}"}', "$.schema"),
        (b'{"text": "a", "schema_id": "s", "schema_version": 2}', "$.schema_version"),
        (b'{"text": "\xff", "schema_id": "s"}', "not UTF-8 - at `$.text`"),
        (b'{"text": "", "schema_id": "s"}', "$.text"),
    ],
)
def test_an_invalid_raw_action_is_refused_and_the_field_named(value: bytes | None, said: str) -> None:
    with pytest.raises(ContractError) as refused:
        decode_raw_action(value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_integer_of_any_length_is_published_whole() -> None:
    action = FormattedAction(
        event_id="e1",
        event_time=NOW,
        processing_time=NOW,
        model_version="m@1",
        prompt_version="p-1",
        value={"order": 2**80},
        json_schema=FollowedSchema(id="inline", hash="0" * 64),
        grounding=[],
        ungrounded=[],
        tokens=Tokens(input=0, output=0),
        reason_codes=[],
        context=Context(),
        source=Position(topic="actions.raw", partition=0, offset=1),
    )
    assert b'"order":%d' % 2**80 in encode(action)
    with pytest.raises(ContractError, match="surrogates"):
        encode(msgspec.structs.replace(action, value={"order": 2**80, "name": "\ud800"}))
