"""Reads a review event from its record."""

from collections.abc import Sequence
from typing import Final

import msgspec

from sluicegate.agents.kafka.record import Record
from sluicegate.agents.review.reviewer import ReviewTask
from sluicegate.schemas.codec import encode, value_hash
from sluicegate.schemas.errors import ContractError
from sluicegate.schemas.events import Review
from sluicegate.schemas.headers import Header
from sluicegate.schemas.payloads import without_schema_id

_decode: Final = msgspec.json.Decoder(Review).decode


def task_of(record: Record, headers: Sequence[Header]) -> ReviewTask:
    """The task in a record of the review topic; `headers` are those that its outputs repeat.

    Raises:
        ContractError: it is not a review event. The message names the field, and repeats nothing of the record.
    """
    if record.value is None:
        raise ContractError("the record has no value (a tombstone): a review event was expected")
    try:
        review = _decode(without_schema_id(record.value))
    except msgspec.ValidationError as error:
        raise ContractError(f"not a review event: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        raise ContractError("not a review event: not JSON") from None
    encode(review)  # refuses what could not be published again, such as half a surrogate pair
    return ReviewTask(
        review=review,
        source=record.position,
        key=record.key,
        headers=list(headers),
        published=record.timestamp,
        input_hash=value_hash(record.value),
    )
