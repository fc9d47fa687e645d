"""Settings of the topic names."""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import BaseModel, Field, model_validator

from sluicegate.agents.settings.variables import variable

Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]

_PREFIX: Final = "topic_"


class TopicSettings(BaseModel, title="Topics"):
    """The name of each topic."""

    topic_raw: Topic = Field("queries.raw", description="Input: raw queries.")
    topic_recall: Topic = Field("queries.recall", description="Allowed queries, for candidate retrieval.")
    topic_ranking: Topic = Field("queries.ranking", description="Allowed queries, for ranking.")
    topic_blocked: Topic = Field("queries.blocked", description="Blocked queries, without their text.")
    topic_review: Topic = Field("queries.review", description="Queries that a reviewer must decide.")
    topic_reviewed: Topic = Field("queries.reviewed", description="The reviewer's decisions.")
    topic_deadletter: Topic = Field("queries.deadletter", description="Records that could not be decided.")
    topic_ledger: Topic = Field("queries.ledger", description="One audit record per event.")

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
