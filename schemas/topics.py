"""Each event with its topic and its direction, stated once. Settings, checks, exports and docs read it from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from sluicegate.schemas.events import (
    Blocked,
    DeadLetter,
    FormattedAction,
    LedgerRecord,
    Ranking,
    RawAction,
    RawQuery,
    Recall,
    Review,
    Reviewed,
)


@dataclass(frozen=True, slots=True)
class EventTopic:
    """An event and where it travels. `direction` is the workers' view: they receive or send the event."""

    name: str
    event: type[msgspec.Struct]
    direction: Literal["receive", "send"]
    summary: str

    @property
    def default_topic(self) -> str:
        """The topic's name unless a setting changes it."""
        return self.name.replace("_", ".") if self.name.startswith("actions_") else f"queries.{self.name}"


TOPICS: Final[Mapping[str, EventTopic]] = {
    topic.name: topic
    for topic in (
        EventTopic("raw", RawQuery, "receive", "Input: raw queries."),
        EventTopic("recall", Recall, "send", "Allowed queries, for candidate retrieval."),
        EventTopic("ranking", Ranking, "send", "Allowed queries, for ranking."),
        EventTopic("blocked", Blocked, "send", "Blocked queries, without their text."),
        EventTopic("review", Review, "send", "Queries that a reviewer must decide."),
        EventTopic("reviewed", Reviewed, "send", "The reviewers' decisions."),
        EventTopic("deadletter", DeadLetter, "send", "Records that could not be decided or formatted."),
        EventTopic("ledger", LedgerRecord, "send", "One audit record per event."),
        EventTopic("actions_raw", RawAction, "receive", "Input: texts to format."),
        EventTopic("actions_formatted", FormattedAction, "send", "JSON that follows the schema of its action."),
    )
}
"""By the event's name."""

SENT: Final = tuple(name for name, topic in TOPICS.items() if topic.direction == "send")
"""Names of the events that the workers publish."""

OPTIONAL: Final = frozenset({"actions_raw", "actions_formatted"})
"""Names of the events that a cluster without the format agent may have no topics for."""
