"""Settings of the decision about one event: its time, its thresholds, and what happens without an answer."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from sluicegate.agents.settings.thresholds import thresholds_from_json
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Threshold


class DecidingSettings(BaseModel, title="Decisions", arbitrary_types_allowed=True):
    """How an event is decided, and within what time."""

    policy: Path | None = Field(
        None,
        description="Policy file: thresholds, also by surface, and lists of terms that block, review or do not count. "
        "Or the folder of a registry of policies. A changed file is in use within seconds. `sluice policy check` "
        "checks one.",
    )
    thresholds: Annotated[dict[Category, Threshold], NoDecode] = Field(
        default_factory=dict,
        description='Thresholds that replace those of the model, as JSON: {"hate": {"allow": 0.2, "block": 0.6}}. A '
        "query is reviewed from `allow` on and blocked from `block` on; a `block` above 1 never blocks. "
        "`sluice models info` shows the model's own. Not together with SLUICE_POLICY, which has thresholds of its own.",
    )
    fail: Literal["closed", "open"] = Field(
        "closed",
        description="Decision when the model gives no answer: `closed` sends the query to review, `open` allows it. "
        "Either output says `degraded`. A query that is late only because of its record's own deadline or timestamp is "
        "always reviewed.",
    )
    deadline_ms: int = Field(
        10_000,
        ge=10,
        le=45_000,
        description="Time limit for the decision on one event, in milliseconds. An event can ask for less.",
    )
    shed_after_ms: int = Field(
        0,
        ge=0,
        le=86_400_000,
        description="Age of a record, in milliseconds since its Kafka timestamp, from which it is decided without the "
        "model. A worker that has fallen behind then serves fresh records first. 0 turns it off.",
    )
    cache_size: int = Field(
        10_000,
        ge=0,
        le=10_000_000,
        description="Maximum number of answers that are kept for equal queries. 0 turns the cache off.",
    )
    cache_ttl_s: int = Field(3_600, ge=1, le=604_800, description="Time that an answer is kept, in seconds.")
    ledger_text: bool = Field(False, description="Write the normalised query into the ledger.")

    @field_validator("thresholds", mode="before")
    @classmethod
    def _thresholds_from_json(cls, value: object) -> object:
        return thresholds_from_json(value)
