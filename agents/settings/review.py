"""Settings of the review agent."""

import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import msgspec
from limits import parse
from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from sluicegate.agents.settings.security import refuse_secrets

REVIEWERS: Final = ("api", "model", "people")


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
        description="Time limit for the review of one event, in milliseconds. All reviewers share it.",
    )
    reviewers: str = Field(
        "api",
        description="Who reviews, in order, as names separated by commas: `api` (a chat API), `model` (a second "
        "compiled model in the worker), `people` (the review queue). Each is asked if those before it did not decide.",
    )
    review_fallback: Literal["hold", "gate", "block"] = Field(
        "hold",
        description="What happens if no reviewer decides in time. `hold` keeps the event unacknowledged and asks "
        "again, then blocks it. `gate` lets the gate's own probabilities decide. `block` blocks.",
    )
    review_hold_s: int = Field(
        600,
        ge=1,
        le=86_400,
        description="With `hold`: age of a review event, in seconds since it was published, from which it is not held "
        "any more.",
    )
    review_hold_rounds: int = Field(
        100, ge=1, le=100_000, description="With `hold`: how often the reviewers are asked about one event at most."
    )
    review_prompt: Path | None = Field(
        None, description="File of the prompt for reviewers. Default: the one that ships with the code."
    )
    review_canary: Literal["wait", "refuse"] = Field(
        "wait",
        description="What happens if no reviewer answers the prompt's canary queries correctly at the start: `wait` is "
        "not ready and asks again, `refuse` ends the worker with one line.",
    )
    review_model: Path | None = Field(None, description="For `model`: folder of a compiled model.")
    review_api_url: str | None = Field(
        None, description="For `api`: base URL of an OpenAI-compatible chat API, as in `https://api.openai.com/v1`."
    )
    review_api_model: str | None = Field(None, min_length=1, description="For `api`: name of the model.")
    review_api_key: SecretStr | None = Field(None, description="For `api`: the API key.")
    review_api_key_file: Path | None = Field(
        None, description="For `api`: file that contains the API key. It is read again for every request."
    )
    review_api_body: Annotated[dict[str, object], NoDecode] = Field(
        default_factory=dict,
        description="For `api`: fields of the request to add or replace, as JSON; null removes one. For example "
        '{"max_tokens": null, "max_completion_tokens": 2000, "temperature": null} for a model that reasons.',
    )
    review_api_json: Literal["auto", "schema", "object", "text"] = Field(
        "auto",
        description="For `api`: how JSON is asked for: by `schema` (structured output), as any `object`, or in words "
        "alone (`text`). `auto` uses the first that the API accepts.",
    )
    review_api_connect_timeout_ms: int = Field(
        2_000, ge=10, le=45_000, description="For `api`: time limit for a connection, in milliseconds."
    )
    review_api_read_timeout_ms: int = Field(
        10_000, ge=10, le=45_000, description="For `api`: time limit for one whole answer, in milliseconds."
    )
    review_api_attempts: int = Field(3, ge=1, le=20, description="For `api`: maximum number of requests per question.")
    review_api_concurrency: int = Field(16, ge=1, le=1024, description="For `api`: maximum number of open requests.")
    review_api_rate: str | None = Field(
        None, description="For `api`: maximum rate of requests of this worker, for example `600/minute`."
    )
    review_api_open_ms: int = Field(
        15_000,
        ge=100,
        le=600_000,
        description="For `api`: time that the circuit breaker stays open, in milliseconds, before one request tries.",
    )
    review_api_price_in: float = Field(
        0.0, ge=0, description="For `api`: price of a million input tokens, in any currency."
    )
    review_api_price_out: float = Field(0.0, ge=0, description="For `api`: price of a million output tokens.")
    review_api_budget: float | None = Field(
        None, gt=0, description="For `api`: what may be spent on a day (UTC), in the currency of the prices."
    )
    review_api_spent_file: Path | None = Field(
        None,
        description="For `api`: file that keeps what was spent today, over a restart and for all workers of this "
        "machine that name it. Unset: each worker counts for itself, from 0.",
    )

    @field_validator("reviewers")
    @classmethod
    def _known_and_different(cls, reviewers: str) -> str:
        names = [name.strip() for name in reviewers.split(",")]
        if not set(names) <= set(REVIEWERS) or len(set(names)) < len(names):
            raise ValueError(f"write different names out of {', '.join(REVIEWERS)}, separated by commas")
        return ",".join(names)

    @field_validator("review_api_body", mode="before")
    @classmethod
    def _body_from_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return msgspec.json.decode(value, type=dict[str, object])
        except msgspec.DecodeError as error:
            raise ValueError(f'{error}: write an object, as in {{"seed": 1}}') from None

    @field_validator("review_api_url")
    @classmethod
    def _is_the_address_of_an_api(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("write an address that starts with http:// or https://")
        return refuse_secrets(url)

    @field_validator("review_api_rate")
    @classmethod
    def _is_a_rate_of_reviews(cls, rate: str | None) -> str | None:
        if rate is not None:
            try:
                parse(rate)
            except ValueError:
                raise ValueError("write a number and a time, for example 100/second or 600/minute") from None
        return rate

    @model_validator(mode="after")
    def _api_is_consistent(self) -> Self:
        if self.review_api_key and self.review_api_key_file:
            raise ValueError("SLUICE_REVIEW_API_KEY and SLUICE_REVIEW_API_KEY_FILE exclude each other")
        file = self.review_api_key_file
        if file and (file.is_dir() or not os.access(file, os.R_OK)):
            raise ValueError(f"SLUICE_REVIEW_API_KEY_FILE: cannot read {file}")
        if self.review_api_budget and not (self.review_api_price_in or self.review_api_price_out):
            raise ValueError("SLUICE_REVIEW_API_BUDGET needs SLUICE_REVIEW_API_PRICE_IN or SLUICE_REVIEW_API_PRICE_OUT")
        return self

    @property
    def reviewer_names(self) -> tuple[str, ...]:
        """The names in `reviewers`."""
        return tuple(self.reviewers.split(","))

    @property
    def review_api_secret(self) -> str | None:
        """The API key, from its setting or read from its file now. Raises OSError if that is gone."""
        if self.review_api_key_file:
            return self.review_api_key_file.read_text(errors="replace").strip() or None
        return self.review_api_key.get_secret_value() if self.review_api_key else None
