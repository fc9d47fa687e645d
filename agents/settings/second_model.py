"""Settings of the second model: which one it is, when it is asked, and its share of the machine."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from sluicegate.agents.settings.model import ComputeType
from sluicegate.agents.settings.thresholds import thresholds_from_json
from sluicegate.agents.settings.variables import from_json
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.labels import Category
from sluicegate.schemas.events import Threshold


class SecondModelSettings(BaseModel, title="Second model", arbitrary_types_allowed=True):
    """A model that is asked about what SLUICE_MODEL, the screen, is unsure of."""

    second_model: Path | None = Field(
        None,
        description="Folder of a compiled model, or of a registry of models, of any prompt style; a relative path is "
        "read from the current directory. It is asked about what SLUICE_MODEL would send to review, and its verdict "
        "counts. Unset: SLUICE_MODEL decides alone.",
    )
    second_thresholds: Annotated[dict[Category, Threshold], NoDecode] = Field(
        default_factory=dict,
        description="Thresholds that replace those of the second model, as JSON like SLUICE_THRESHOLDS. Not together "
        "with SLUICE_POLICY, which has the table [second] for them.",
    )
    second_confirms: Annotated[frozenset[Category], NoDecode] = Field(
        frozenset(),
        description="Categories, separated by commas, of which a block of SLUICE_MODEL needs the second model's too. "
        "Where only one of them blocks, the query goes to review.",
    )
    second_may_block: bool = Field(
        True,
        description="Whether the second model may block what SLUICE_MODEL would send to review. If not, such a query "
        "stays in review.",
    )
    second_sample: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the other events, of a worker and of the HTTP API, about which the second model is asked "
        "too, after they were decided: for the ledger and the metrics only. It changes no decision.",
    )
    second_deadline_ms: int = Field(
        2_000,
        ge=10,
        le=45_000,
        description="Time limit for the second model's answer about one event, in milliseconds, within what is left of "
        "SLUICE_DEADLINE_MS. After it the verdict of SLUICE_MODEL stands (`second:overloaded`).",
    )
    second_queue_size: int = Field(
        64,
        ge=1,
        le=65_536,
        description="Maximum number of events that wait for the second model. For the next one the verdict of "
        "SLUICE_MODEL stands (`second:overloaded`).",
    )
    second_window: int = Field(
        2_048,
        ge=0,
        le=1_000_000,
        description="Maximum number of events that a gate worker has decided and not yet acknowledged because one "
        "before them in their partition waits for the second model. They are in addition to SLUICE_WINDOW.",
    )
    second_device: Literal["cpu", "cuda"] = Field("cpu", description="Device that the second model runs on.")
    second_compute_type: ComputeType = Field(
        "default", description="CTranslate2 compute type of the second model, as SLUICE_COMPUTE_TYPE."
    )
    second_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of each copy of the second model. 0 chooses as for SLUICE_THREADS.",
    )
    second_replicas: int = Field(
        0,
        ge=0,
        le=64,
        description="Copies of the second model. 0 chooses as for SLUICE_REPLICAS.",
    )
    second_nice: int = Field(
        10,
        ge=0,
        le=19,
        description="How far the threads of the second model stand back, as SLUICE_NICE: what SLUICE_MODEL decides "
        "alone goes first.",
    )
    second_batch_size: int = Field(
        16, ge=1, le=1024, description="Maximum number of queries in one call of the second model."
    )
    second_batch_cost: Annotated[BatchCost | None, NoDecode] = Field(
        None, description="Cost of a batch of the second model on this machine, as JSON like SLUICE_BATCH_COST."
    )

    @field_validator("second_batch_cost", mode="before")
    @classmethod
    def _cost_from_json(cls, value: object) -> object:
        return value if value is None else from_json(value, BatchCost)

    @field_validator("second_thresholds", mode="before")
    @classmethod
    def _second_thresholds_from_json(cls, value: object) -> object:
        return thresholds_from_json(value)

    @field_validator("second_confirms", mode="before")
    @classmethod
    def _categories_from_names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = [name.strip() for name in value.split(",") if name.strip()]
        if unknown := sorted(set(names).difference(Category)):
            raise ValueError(f"there is no category {unknown[0]!r}: write some of {', '.join(Category)}")
        return frozenset(map(Category, names))
