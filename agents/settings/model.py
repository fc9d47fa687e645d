"""Settings of the model and of the machine that runs it."""

from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from sluicegate.agents.settings.variables import from_json
from sluicegate.models.inference.batch_cost import BatchCost

ComputeType: TypeAlias = Literal[
    "default",
    "auto",
    "int8",
    "int8_float32",
    "int8_bfloat16",
    "int8_float16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]

EMBEDDED_MODEL: Final = Path(__file__).resolve().parents[2] / "models" / "embedded"


class ModelSettings(BaseModel, title="Model", arbitrary_types_allowed=True):
    """Which model runs, and how it uses the machine."""

    model: Path = Field(
        EMBEDDED_MODEL,
        description="Folder of a compiled model, or of a registry of models. A relative path is read from the current "
        "directory.",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Device that the model runs on.")
    compute_type: ComputeType = Field(
        "default", description="CTranslate2 compute type. `default` is the type that the model was compiled to."
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of each copy of the model. 0 chooses: one for a small model, otherwise the cores divided "
        "by the copies, at most 4.",
    )
    replicas: int = Field(
        0,
        ge=0,
        le=64,
        description="Copies of the model that work in parallel, each with its own threads; they share the weights. "
        "0 chooses: one of a small model or on a GPU, otherwise one per core, at most 4.",
    )
    nice: int = Field(
        0,
        ge=0,
        le=19,
        description="How far the model's threads stand back for the other threads of the machine, as the command "
        "`nice` has it: 0 not at all, 19 the most.",
    )
    batch_size: int = Field(32, ge=1, le=1024, description="Maximum number of queries in one call of the model.")
    queue_size: int = Field(256, ge=1, le=65_536, description="Maximum number of queries that wait for the model.")
    max_query_chars: int = Field(512, ge=16, le=2048, description="Maximum characters of a query; the rest is cut off.")
    max_query_tokens: int = Field(128, ge=8, le=2048, description="Maximum tokens of a query; the rest is cut off.")
    max_answer_tokens: int = Field(64, ge=8, le=512, description="Maximum tokens that the model writes for one query.")
    batch_cost: Annotated[BatchCost | None, NoDecode] = Field(
        None, description="Cost of a batch on this machine, as JSON. `sluice calibrate` measures it."
    )
    profile: Path | None = Field(
        None,
        description="JSON file of settings that `sluice calibrate` wrote. Options and environment variables take "
        "precedence over it.",
    )

    @field_validator("batch_cost", mode="before")
    @classmethod
    def _batch_cost_from_json(cls, value: object) -> object:
        return value if value is None else from_json(value, BatchCost)
