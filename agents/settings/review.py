"""Settings of the review agent."""

from pydantic import BaseModel, Field


class ReviewSettings(BaseModel, title="Review agent"):
    """How `sluice worker review` works. It shares no limit with the gate."""

    review_group_id: str | None = Field(
        None,
        min_length=1,
        description="Consumer group of the review workers. Default: SLUICE_GROUP_ID with `-review` appended.",
    )
    review_window: int = Field(
        256,
        ge=1,
        le=65_536,
        description="Maximum number of events that a review worker has read and not yet acknowledged.",
    )
    review_deadline_ms: int = Field(
        20_000,
        ge=10,
        le=45_000,
        description="Time limit for the review of one event, in milliseconds.",
    )
