"""What a reviewer is: it decides one review event, hands it over to people, or says why it cannot.

    queries.review ─► ReviewTask ─► Reviewer.review ─┬─► ReviewDecision ─► outputs, ledger, ack
                                                     ├─► HandedOver     ─► ledger, ack: it waits at the desk
                                                     │                     (`again`: ack alone)
                                                     └─► Unanswered     ─► the next reviewer, then the fallback

    ReviewDesk.hand_over ─► people decide ─► ReviewDesk.decided ─► outputs, ledger ─► ReviewDesk.published

The review agent alone publishes: a desk only keeps tasks and what people decided about them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

import msgspec

from sluicegate.schemas.errors import Unanswered
from sluicegate.schemas.events import Position, Review
from sluicegate.schemas.vocabulary import Category

__all__ = [
    "Asked",
    "HandedOver",
    "ReviewDecision",
    "ReviewDesk",
    "ReviewTask",
    "Reviewer",
    "ReviewerKind",
    "Unanswered",
]

ReviewerKind: TypeAlias = Literal["api", "model", "people"]


class ReviewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A review event, with all that its outputs need: as JSON it can be kept for as long as people need."""

    review: Review
    source: Position
    """Where the review event is."""
    key: bytes | None
    """Of its record; its outputs get the same."""
    headers: list[tuple[str, bytes | None]]
    """What its outputs repeat: the trace that they continue, the headers that are passed on, `replay_of`."""
    published: datetime
    """When the review event was published: from then on it is held."""
    input_hash: str
    """SHA-256 of its record's value. With the event id it identifies the task: a redelivery has the same."""


class ReviewDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer decided. An allowed query has no category, a denied one has one."""

    allow: bool
    category: Category | None
    reviewer: str
    """Who decided, as in `api:gpt-5-mini`, `model:qwen3-0.6b@1f0c…` or `people:anna`."""
    kind: ReviewerKind
    rationale: str | None = None
    """Why, for people. It may quote the query: it belongs into the reviewed event and nowhere else."""
    prompt_version: str | None = None
    prompt_hash: str | None = None
    """SHA-256 of the prompt without the query."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    """In the currency of the prices in the settings."""

    def __post_init__(self) -> None:
        if self.allow != (self.category is None):
            raise ValueError("a denied query has a category, an allowed one has none")


class HandedOver(msgspec.Struct, frozen=True):
    """The task waits for people, and is kept until they have decided it."""

    again: bool = False
    """It was handed over before from another record, or its decision is published: there is nothing to record."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question to one reviewer, and why it had no answer."""

    reviewer: str
    reason: str


class Reviewer(Protocol):
    """Decides review events. Use it on one event loop; many tasks may be reviewed at once."""

    @property
    def name(self) -> str:
        """Who it is, as in the events: kind and model."""

    @property
    def kind(self) -> ReviewerKind:
        """As SLUICE_REVIEWERS names it."""

    async def review(self, task: ReviewTask, asked: Sequence[Asked], *, deadline: float) -> ReviewDecision | HandedOver:
        """The decision about `task` by `deadline`, a time of the event loop's clock. `asked` are those before it.

        Raises:
            Unanswered: it has none; the message quotes nothing of the query.
        """


class ReviewDesk(Protocol):
    """Where tasks wait for people. Use it on one event loop; its calls to a disk run in threads."""

    async def hand_over(self, task: ReviewTask, asked: Sequence[Asked]) -> HandedOver:
        """Keep `task` on disk, once for each event: handing it over again changes nothing.

        `asked` are the reviewers that had no answer, for people to see. A redelivery of the record that is kept is not
        `again` until its decision is published: the first delivery may have ended before its ledger record.

        Raises:
            Unanswered: it cannot be kept.
        """

    async def decided(self, limit: int) -> list[tuple[ReviewTask, ReviewDecision]]:
        """Up to `limit` tasks that people have decided and that are not published yet, oldest first."""

    async def overdue(self, limit: int) -> list[ReviewTask]:
        """Up to `limit` tasks that nobody decided within SLUICE_REVIEW_QUEUE_MAX_AGE_S, oldest first.

        From now on people cannot decide them: the fallback does, and they are published like the others. With the
        fallback `hold` this is never called, and tasks wait without limit.
        """

    async def published(self, task: ReviewTask) -> None:
        """Note that every output of `task` is acknowledged. It was decided; it is not returned again."""
