"""Appeals: a blocked query is put before people, as a review event that names the blocked one.

    queries.blocked ─► the event that is appealed against ─► its raw record, which has the text ─► queries.review

Blocked events do not repeat the user's words, so the text comes from the raw record, as long as Kafka has it.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
import orjson

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.kafka.publisher import Delivered, Publisher
from sluicegate.agents.kafka.record import Record
from sluicegate.agents.kafka.record_log import RecordLog
from sluicegate.agents.kafka.schema_registry import wire_format_of
from sluicegate.agents.replay.originals import CannotReplay, original_of
from sluicegate.agents.replay.selection import Recorded
from sluicegate.agents.settings import Settings
from sluicegate.agents.time_budget import CLOSE_PUBLISHER_S
from sluicegate.models.text.normalise import normalise
from sluicegate.schemas.codec import decode_raw_query, encode
from sluicegate.schemas.errors import ContractError, RequestRefused
from sluicegate.schemas.events import Appeal, Blocked, Review
from sluicegate.schemas.headers import replay_of
from sluicegate.schemas.payloads import without_schema_id
from sluicegate.schemas.vocabulary import Intent

_decode_blocked: Final = msgspec.json.Decoder(Blocked).decode


class _Found(NamedTuple):
    """A blocked event, and the record that it is in."""

    event: Blocked
    record: Record


async def publish_appeal(
    settings: Settings, event_id: str, *, appellant: str, reason: str, since: datetime | None = None
) -> Delivered:
    """Publish an appeal against the blocked event `event_id`, and return where it is once the broker has it.

    The blocked topic is searched from `since` on, by default from its beginning; the first event of this id counts.

    Raises:
        RequestRefused: there is no such event, or its raw record is no longer in Kafka.
        BrokerUnavailable: the cluster cannot be read from.
        PublishFailed: the broker did not take the appeal.
    """
    connection = Connection.of(settings)
    review, record = await asyncio.to_thread(
        _review_of, connection, settings, event_id, appellant=appellant, reason=reason, since=since
    )
    timeout_s = settings.publish_timeout_ms / 1000
    async with Publisher(
        connection,
        delivery_timeout_s=timeout_s,
        flush_timeout_s=CLOSE_PUBLISHER_S,
        extra={"log_level": 0},
        wire_format=await asyncio.to_thread(wire_format_of, settings),
    ) as publisher:
        return await publisher.publish(
            settings.topic_review, encode(review), key=record.key or event_id.encode(), headers=record.headers
        )


def _review_of(
    connection: Connection, settings: Settings, event_id: str, *, appellant: str, reason: str, since: datetime | None
) -> tuple[Review, Record]:
    """The review event of the appeal, and the record of the blocked event, whose key and trace it continues."""
    with RecordLog(connection) as log:
        blocked, record = _find(log, settings.topic_blocked, event_id, since)
        text = _text_of(log, settings, blocked, record)
    review = Review(
        event_id=blocked.event_id,
        event_time=blocked.event_time,
        processing_time=datetime.now(UTC),
        model_version=blocked.model_version,
        prompt_version=blocked.prompt_version,
        policy_version=blocked.policy_version,
        query=text,
        lexical=text,
        semantic=text,
        intent=Intent.OTHER,
        synonyms=[],
        facets=[],
        reason_codes=blocked.reason_codes,
        degraded=False,
        context=blocked.context,
        category=blocked.category,
        probabilities={blocked.category: blocked.probability},
        reason=blocked.reason,
        source=blocked.source,
        appeal=Appeal(blocked=record.position, gate=blocked.gate, appellant=appellant, rationale=reason),
    )
    return review, record


def _find(log: RecordLog, topic: str, event_id: str, since: datetime | None) -> _Found:
    needle = orjson.dumps(event_id)  # most events are other ones, and need no decoding
    for record in log.read(log.spans(topic, since)):
        if record.value and needle in record.value:
            try:
                blocked = _decode_blocked(without_schema_id(record.value))
            except msgspec.DecodeError:
                continue
            if blocked.event_id == event_id:
                return _Found(blocked, record)
    raise RequestRefused("not_found", f"{topic} has no event with this id: only a blocked query can be appealed for")


def _text_of(log: RecordLog, settings: Settings, blocked: Blocked, record: Record) -> str:
    """The query of a blocked event, normalised as the gate does it."""
    source = blocked.source
    if source is None or not source.in_kafka:
        raise RequestRefused("not_found", "the blocked event does not say where the raw record is")
    wanted = Recorded(
        event_id=blocked.event_id,
        source=str(source),
        replay_of=replay_of(record.headers),
        at=source,
        in_letter=False,
        time=record.timestamp,
        value_hash=None,
    )
    try:
        original = original_of(wanted, log.fetch([source]).get(source), None)
        text = normalise(decode_raw_query(original.value).query.query, max_chars=settings.max_query_chars).text
    except CannotReplay as error:
        raise RequestRefused("not_found", f"the raw record {source} of this event is {error}") from None
    except ContractError:
        text = ""
    if not text:
        raise RequestRefused("not_found", f"the raw record {source} has no query that can be reviewed")
    return text
