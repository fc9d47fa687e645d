"""Reviews over HTTP: people list what waits, take a lease, and decide, with no shell on the review worker's machine.

The name of the API key is the reviewer. So these paths ask for a key also where the others do not.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sluicegate.agents.http.review_types import (
    MOST_LISTED,
    AppealAnswer,
    AppealRequest,
    LeasedReview,
    NextReview,
    NoOptions,
    ReviewList,
)
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.review_queue import PersonsDecision, ReviewQueue
from sluicegate.schemas.errors import RequestRefused
from sluicegate.schemas.events import Position


async def _list(service: HttpService, call: Call[None]) -> ReviewList:
    queue = _queue_of(service)
    statistics = await asyncio.to_thread(queue.statistics)
    return ReviewList(statistics=statistics, reviews=await asyncio.to_thread(queue.waiting, MOST_LISTED))


async def _next(service: HttpService, call: Call[NextReview]) -> LeasedReview:
    queue, after = _queue_of(service), call.body.after
    return LeasedReview(review=await asyncio.to_thread(queue.lease_next, call.client, after=after))


async def _lease(service: HttpService, call: Call[NoOptions]) -> LeasedReview:
    queue = _queue_of(service)
    return LeasedReview(review=await asyncio.to_thread(queue.lease, call.path["review_id"], call.client))


async def _release(service: HttpService, call: Call[NoOptions]) -> NoOptions:
    await asyncio.to_thread(_queue_of(service).release, call.path["review_id"], call.client)
    return NoOptions()


async def _decide(service: HttpService, call: Call[PersonsDecision]) -> PersonsDecision:
    queue = _queue_of(service)
    return await asyncio.to_thread(queue.decide, call.path["review_id"], call.client, call.body)


async def _appeal(service: HttpService, call: Call[AppealRequest]) -> AppealAnswer:
    from sluicegate.agents.appeals import publish_appeal  # it loads a Kafka client, which no other route needs

    _queue_of(service)
    asked = call.body
    published = await publish_appeal(
        service.settings, asked.event_id, appellant=call.client, reason=asked.reason, since=asked.since
    )
    at = Position(topic=published.topic, partition=published.partition, offset=published.offset)
    return AppealAnswer(event_id=asked.event_id, published=at)


def _queue_of(service: HttpService) -> ReviewQueue:
    """The review queue of this process.

    Raises:
        RequestRefused: it has none, or no API keys tell reviewers apart.
    """
    if service.reviews is None:
        raise RequestRefused("not_found", "this process has no review queue: ask the review worker")
    if service.settings.http_keys is None:
        raise RequestRefused("invalid_api_key", "reviews need API keys: set SLUICE_HTTP_KEYS for the review worker")
    return service.reviews


ROUTES: Final[Sequence[JsonRoute[Any]]] = (
    JsonRoute("/v1/reviews", "list_reviews", "List what waits for people.", None, ReviewList, _list),
    JsonRoute(
        "/v1/reviews/next",
        "lease_next_review",
        "Take a lease on the oldest event that is free.",
        NextReview,
        LeasedReview,
        _next,
    ),
    JsonRoute(
        "/v1/reviews/{review_id}/lease",
        "lease_review",
        "Take or renew a lease on one event.",
        NoOptions,
        LeasedReview,
        _lease,
    ),
    JsonRoute(
        "/v1/reviews/{review_id}/release", "release_review", "Give a lease back.", NoOptions, NoOptions, _release
    ),
    JsonRoute(
        "/v1/reviews/{review_id}/decision",
        "decide_review",
        "Allow or deny an event that you have a lease for.",
        PersonsDecision,
        PersonsDecision,
        _decide,
    ),
    JsonRoute("/v1/appeals", "appeal", "Put a blocked query before people.", AppealRequest, AppealAnswer, _appeal),
)
