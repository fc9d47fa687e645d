"""Settings of the review queue: where queries wait for people, and for how long."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

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
    review_key_file: Path | None = Field(None, description="File that contains the API key for SLUICE_REVIEW_URL.")

    @field_validator("review_url")
    @classmethod
    def _is_an_http_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("write an address that starts with http:// or https://")
        return refuse_secrets(url)

    @model_validator(mode="after")
    def _review_key_has_one_source(self) -> Self:
        file = self.review_key_file
        if self.review_key and file:
            raise ValueError("SLUICE_REVIEW_KEY and SLUICE_REVIEW_KEY_FILE exclude each other")
        if file and (file.is_dir() or not os.access(file, os.R_OK)):
            raise ValueError(f"SLUICE_REVIEW_KEY_FILE: cannot read {file}")
        return self

    @property
    def review_secret(self) -> str | None:
        """The API key, from its setting or read from its file now; None if there is none."""
        if self.review_key_file:
            return self.review_key_file.read_text(errors="replace").strip() or None
        return self.review_key.get_secret_value() if self.review_key else None
