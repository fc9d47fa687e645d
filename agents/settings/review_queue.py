"""Settings of the review queue: where queries wait for people, and for how long."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, field_validator

from sluicegate.agents.settings.security import refuse_secrets


class ReviewQueueSettings(BaseModel, title="Review queue"):
    """The file in which queries wait for people, and how `sluice review` reaches it."""

    review_queue: Path | None = Field(
        None,
        description="File in which queries wait for people, on a local disk. It contains their text. The review "
        "worker makes it; `sluice review` on the same machine uses it too. See docs/review.md.",
    )
    review_queue_max_events: int = Field(
        100_000, ge=1, le=10_000_000, description="Maximum number of events in the review queue. More are refused."
    )
    review_queue_max_age_s: float = Field(
        86_400.0,
        gt=0,
        description="Time that people have for an event, from its publication on, in seconds. Then the fallback "
        "decides.",
    )
    review_queue_lease_s: float = Field(
        300.0,
        ge=1,
        le=86_400,
        description="Time that an event is reserved for the person who looks at it, in seconds. Then others may take "
        "it.",
    )
    review_queue_retention_s: float = Field(
        604_800.0,
        ge=0,
        description="Time for which the review queue remembers the ids of finished events, in seconds, so that a "
        "redelivered event is not reviewed again.",
    )
    review_url: str | None = Field(
        None,
        description="For `sluice review` on another machine: address of the review worker's HTTP API, for example "
        "https://review.example.org. Unset: the file of SLUICE_REVIEW_QUEUE.",
    )
    review_key: SecretStr | None = Field(None, description="API key for SLUICE_REVIEW_URL. Its name is the reviewer.")

    @field_validator("review_url")
    @classmethod
    def _is_an_http_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("write an address that starts with http:// or https://")
        return refuse_secrets(url)
