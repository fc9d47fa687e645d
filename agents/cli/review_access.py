"""How `sluice review` reaches the review queue: in its file on this machine, or over HTTP."""

import asyncio
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

import httpx
import msgspec

from sluicegate.agents.http.errors import MEANINGS, ErrorAnswer
from sluicegate.agents.http.review_types import (
    MOST_LISTED,
    AppealAnswer,
    AppealRequest,
    LeasedReview,
    NextReview,
    ReviewList,
)
from sluicegate.agents.review_queue import PersonsDecision, QueuedReview, ReviewQueue
from sluicegate.agents.settings import Settings
from sluicegate.schemas.errors import ConfigurationError, RequestRefused, ReviewQueueFailed
from sluicegate.schemas.events import Position

AnswerT = TypeVar("AnswerT")

_TIMEOUT_S: Final = 30.0


class Reviews(Protocol):
    """The review queue, as one reviewer uses it. The methods do and raise what those of `ReviewQueue` do."""

    def list(self) -> ReviewList:
        """What waits."""

    def next(self, after: int = 0) -> QueuedReview | None:
        """Lease the oldest review behind a place that is free."""

    def lease(self, review_id: str) -> QueuedReview:
        """Lease one review."""

    def release(self, review_id: str) -> None:
        """Give a lease back."""

    def decide(self, review_id: str, decision: PersonsDecision) -> PersonsDecision:
        """Decide a review."""


@contextmanager
def open_reviews(settings: Settings, name: str | None) -> Iterator[Reviews]:
    """The reviews of `settings`, for the reviewer `name`; by default who has logged in here, or who has the API key.

    Raises:
        ConfigurationError: neither a file nor an address is set, or a name is given where the API key has one.
        ReviewQueueFailed: the file cannot be used.
    """
    if settings.review_url is not None:
        with _remote(settings, name) as remote:
            yield remote
    elif settings.review_queue is not None:
        with ReviewQueue.open(settings) as queue:
            yield _LocalReviews(queue, name or _login_name())
    else:
        raise ConfigurationError(
            "no review queue: set SLUICE_REVIEW_QUEUE to its file, or SLUICE_REVIEW_URL to the review worker's address"
        )


def appeal(settings: Settings, asked: AppealRequest, name: str | None) -> AppealAnswer:
    """Put a blocked query before people, in the name of `name`: through the review worker's HTTP API, or Kafka itself.

    Raises:
        RequestRefused: there is no such event, or its raw record is no longer in Kafka.
        BrokerUnavailable: the cluster cannot be read from.
        PublishFailed: the broker did not take the appeal.
        ReviewQueueFailed: the review worker cannot be reached.
    """
    if settings.review_url is not None:
        with _remote(settings, name) as remote:
            return remote.appeal(asked)
    from sluicegate.agents.appeals import publish_appeal

    appellant = name or _login_name()
    published = asyncio.run(
        publish_appeal(settings, asked.event_id, appellant=appellant, reason=asked.reason, since=asked.since)
    )
    at = Position(topic=published.topic, partition=published.partition, offset=published.offset)
    return AppealAnswer(event_id=asked.event_id, published=at)


@contextmanager
def _remote(settings: Settings, name: str | None) -> "Iterator[_RemoteReviews]":
    if name is not None:
        raise ConfigurationError("over HTTP the reviewer is the name of the API key: leave --as out")
    key = settings.review_secret
    if key is None:
        raise ConfigurationError(
            "SLUICE_REVIEW_URL needs an API key: set SLUICE_REVIEW_KEY, or name its file in SLUICE_REVIEW_KEY_FILE"
        )
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=settings.review_url or "", headers=headers, timeout=_TIMEOUT_S) as client:
        yield _RemoteReviews(client)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigurationError("this user has no name: give yours with --as") from None


class _LocalReviews:
    def __init__(self, queue: ReviewQueue, reviewer: str) -> None:
        self._queue = queue
        self._reviewer = reviewer

    def list(self) -> ReviewList:
        return ReviewList(statistics=self._queue.statistics(), reviews=self._queue.waiting(MOST_LISTED))

    def next(self, after: int = 0) -> QueuedReview | None:
        return self._queue.lease_next(self._reviewer, after=after)

    def lease(self, review_id: str) -> QueuedReview:
        return self._queue.lease(review_id, self._reviewer)

    def release(self, review_id: str) -> None:
        self._queue.release(review_id, self._reviewer)

    def decide(self, review_id: str, decision: PersonsDecision) -> PersonsDecision:
        return self._queue.decide(review_id, self._reviewer, decision)


class _RemoteReviews:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def list(self) -> ReviewList:
        return self._ask("GET", "/v1/reviews", None, ReviewList)

    def next(self, after: int = 0) -> QueuedReview | None:
        return self._ask("POST", "/v1/reviews/next", NextReview(after=after), LeasedReview).review

    def lease(self, review_id: str) -> QueuedReview:
        leased = self._ask("POST", _path(review_id, "lease"), {}, LeasedReview).review
        if leased is None:
            raise ReviewQueueFailed(f"{self._client.base_url} answered without the review")
        return leased

    def release(self, review_id: str) -> None:
        self._ask("POST", _path(review_id, "release"), {}, dict)

    def decide(self, review_id: str, decision: PersonsDecision) -> PersonsDecision:
        return self._ask("POST", _path(review_id, "decision"), decision, PersonsDecision)

    def appeal(self, asked: AppealRequest) -> AppealAnswer:
        return self._ask("POST", "/v1/appeals", asked, AppealAnswer)

    def _ask(self, method: str, path: str, body: object, answer: type[AnswerT]) -> AnswerT:
        content: dict[str, Any] = {}
        if body is not None:
            content = {"content": msgspec.json.encode(body), "headers": {"content-type": "application/json"}}
        try:
            response = self._client.request(method, path, **content)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ReviewQueueFailed(f"cannot reach the review worker at {self._client.base_url}: {reason}") from None
        try:
            if response.is_success:
                return msgspec.json.decode(response.content, type=answer)
            refused = msgspec.json.decode(response.content, type=ErrorAnswer).error
        except msgspec.DecodeError:
            raise ReviewQueueFailed(
                f"{self._client.base_url} answered {response.status_code}, and not as a review worker does: "
                "check SLUICE_REVIEW_URL"
            ) from None
        code = refused.code if refused.code in MEANINGS else "invalid_request"
        raise RequestRefused(code, refused.message, field=refused.param)


def _path(review_id: str, what: str) -> str:
    if not review_id.isalnum():  # our ids are hexadecimal; other text could be a path
        raise RequestRefused("not_found", "no review has this id: `sluice review list` shows those that wait")
    return f"/v1/reviews/{review_id}/{what}"
