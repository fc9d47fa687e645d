"""The event id of a record that claims to be a replay."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.agents.kafka.record import Record
from sluicegate.agents.outcomes.origin import Origin, origin_of
from sluicegate.schemas.headers import Headers, replay_headers
from sluicegate.schemas.reason_codes import RecordCode

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
EARLIER = datetime(2026, 1, 30, 12, tzinfo=UTC)
SECRET = b"correct-horse-battery"
OWN_ID = "queries.raw-0-7"
ORIGINAL = "queries.raw-3-17"


def record(headers: Headers, value: bytes = b"{}") -> Record:
    return Record("queries.raw", 0, 7, START, b"key", value, headers)


def claim(secret: bytes | None, value: bytes = b"{}") -> Headers:
    return replay_headers(ORIGINAL, EARLIER, key=b"key", value=value, secret=secret)


def test_a_record_that_claims_nothing_has_its_position_for_an_id() -> None:
    for secret in (None, SECRET):
        assert origin_of(record([]), secret) == Origin(OWN_ID, START)


def test_a_signed_replay_has_the_id_and_time_of_its_original() -> None:
    assert origin_of(record(claim(SECRET)), SECRET) == Origin(ORIGINAL, EARLIER, ORIGINAL)


def test_a_claim_without_proof_is_dropped_where_there_is_a_secret() -> None:
    dropped = Origin(OWN_ID, START, None, (RecordCode.REPLAY_UNPROVEN,))
    assert origin_of(record(claim(None)), SECRET) == dropped
    assert origin_of(record(claim(b"the secret of others")), SECRET) == dropped
    assert origin_of(record(claim(SECRET), value=b"other"), SECRET) == dropped, "copied onto another record"


def test_without_a_secret_a_claim_names_the_original_and_gives_no_id() -> None:
    for signed in (None, SECRET):
        assert origin_of(record(claim(signed)), None) == Origin(
            OWN_ID, EARLIER, ORIGINAL, (RecordCode.REPLAY_UNPROVEN,)
        )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["replay_of", "replay_timestamp", "replay_signature"]), st.none() | st.binary(max_size=300)
        )
    ),
    st.sampled_from([None, SECRET]),
)
def test_an_event_has_its_own_id_and_a_time_whatever_its_replay_headers_are(
    headers: list[tuple[str, bytes | None]], secret: bytes | None
) -> None:
    origin = origin_of(record(headers), secret)
    assert origin.event_id == OWN_ID
    assert origin.event_time.tzinfo is UTC
    assert origin.replay_of is None or len(origin.replay_of) <= 200
