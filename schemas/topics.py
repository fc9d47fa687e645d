"""Each event with its topic and its direction, stated once. Settings, checks, exports and docs read it from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from sluicegate.schemas.events import Blocked, DeadLetter, LedgerRecord, Ranking, RawQuery, Recall, Review, Reviewed


@dataclass(frozen=True, slots=True)
class EventTopic:
    """An event and where it travels. `direction` is the worker's view: it receives or sends the event."""

    name: str
    event: type[msgspec.Struct]
    direction: Literal["receive", "send"]
    summary: str

    @property
    def default_topic(self) -> str:
        """The topic's name unless a setting changes it."""
        return f"queries.{self.name}"


TOPICS: Final[Mapping[str, EventTopic]] = {
    topic.name: topic
    for topic in (
        EventTopic("raw", RawQuery, "receive", "Input: raw queries."),
        EventTopic("recall", Recall, "send", "Allowed queries, for candidate retrieval."),
        EventTopic("ranking", Ranking, "send", "Allowed queries, for ranking."),
        EventTopic("blocked", Blocked, "send", "Blocked queries, without their text."),
        EventTopic("review", Review, "send", "Queries that a reviewer must decide."),
        EventTopic("reviewed", Reviewed, "receive", "The reviewer's decisions."),
        EventTopic("deadletter", DeadLetter, "send", "Records that could not be decided."),
        EventTopic("ledger", LedgerRecord, "send", "One audit record per event."),
    )
}
"""By the event's name."""

SENT: Final = tuple(name for name, topic in TOPICS.items() if topic.direction == "send")
"""Names of the events that the worker publishes."""
