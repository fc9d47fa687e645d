"""Review events on a topic, a chat API that decides them by their words, and what became of them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from sluicegate.schemas.codec import encode
from tests.support.chat_server import HANG, ChatServer, Reply, error, said
from tests.support.kafka_client import Record
from tests.support.reviews import make_review
from tests.support.worker_process import Output, Stream

TRACE_ID, GATE_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT: Final = f"00-{TRACE_ID}-{GATE_SPAN}-01".encode()

API: Final[Mapping[str, object]] = {
    "reviewers": "api",
    "review_api_model": "big",
    "review_api_price_in": 1.0,
    "review_api_price_out": 1.0,
}


def api_of(server: ChatServer) -> dict[str, object]:
    """The settings of a reviewer that asks `server`."""
    return {**API, "review_api_url": server.url}


def answer(*, allow: bool, category: str | None = None) -> str:
    """The JSON that a reviewer should answer with."""
    return orjson.dumps(
        {"allow": allow, "category": "none" if allow else category or "illicit", "rationale": "because"}
    ).decode()


def asked_query(body: Mapping[str, Any]) -> str:
    """The query in a request."""
    found = re.search(r"<query>(.*?)</query>", body["messages"][-1]["content"])
    assert found
    return found[1]


def by_words(body: dict[str, Any], number: int) -> Reply:
    """What the first word of the query says; canaries and others are decided as they should be."""
    query = asked_query(body)
    replies = {
        "deny": said(answer(allow=False, category="violence")),
        "label": said(answer(allow=False, category="nonsense")),
        "contradiction": said('{"allow": true, "category": "hate", "rationale": ""}'),
        "words": said("I think that this is fine"),
        "fenced": said(f"```json\n{answer(allow=True)}\n```"),
        "garbage": Reply(b"\xff\x00garbage"),
        "half": said(answer(allow=True), sent=0.5),
        "hang": HANG,
        "drip": said(answer(allow=True), drips=True),
        "busy": error(429, retry_after="1"),
        "refuse": error(400),
    }
    first = query.partition(" ")[0]
    if "pipe bomb" in query:
        return replies["deny"]
    return replies.get(first, said(answer(allow=True)))


def produce_reviews(stream: Stream, queries: Iterable[str], **changes: Any) -> None:
    """A review event for each query, with the ids `event-0`, …"""
    stream.produce(review_records(queries, **changes))


def review_records(queries: Iterable[str], **changes: Any) -> list[Record]:
    """Their records."""
    return [
        (b"key", encode(make_review(f"event-{number}", query, **changes)), [("traceparent", TRACEPARENT)])
        for number, query in enumerate(queries)
    ]


def named(outputs: Iterable[Output], event_id: str) -> dict[str, dict[str, Any]]:
    """What became of the review event with this id, by the names of the topics."""
    return {output.name: output.event for output in outputs if output.event_id == event_id}
