"""Settings of the topic names."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, Field, model_validator

from sluicegate.agents.settings.variables import variable
from sluicegate.schemas.topics import TOPICS

Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]

_PREFIX: Final = "topic_"


def _field(event: str) -> Any:
    return Field(TOPICS[event].default_topic, description=TOPICS[event].summary)


class TopicSettings(BaseModel, title="Topics"):
    """The name of each topic."""

    topic_raw: Topic = _field("raw")
    topic_recall: Topic = _field("recall")
    topic_ranking: Topic = _field("ranking")
    topic_blocked: Topic = _field("blocked")
    topic_review: Topic = _field("review")
    topic_reviewed: Topic = _field("reviewed")
    topic_deadletter: Topic = _field("deadletter")
    topic_ledger: Topic = _field("ledger")
    topic_actions_raw: Topic = _field("actions_raw")
    topic_actions_formatted: Topic = _field("actions_formatted")

    @property
    def topics(self) -> Mapping[str, str]:
        """The topic of each event, by the event's name."""
        return {
            name.removeprefix(_PREFIX): getattr(self, name)
            for name in TopicSettings.model_fields
            if name.startswith(_PREFIX)
        }

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        topics = list(self.topics.values())
        same = [variable(_PREFIX + name) for name, topic in self.topics.items() if topics.count(topic) > 1]
        if same:
            raise ValueError(f"{', '.join(same)} must name different topics")
        return self
