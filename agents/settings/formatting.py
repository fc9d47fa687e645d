"""Settings of the formatter: the agent, and the same over HTTP."""

from pathlib import Path

from pydantic import BaseModel, Field


class FormattingSettings(BaseModel, title="Formatter"):
    """How actions are formatted, and how `sluice worker format` works. It shares no limit with the gate."""

    format_model: Path | None = Field(
        None,
        description="Folder of a compiled Qwen3 model that formats, or of a registry of models. Default: no model, the "
        "values are found in the text by rules.",
    )
    format_schemas: Path | None = Field(
        None,
        description="Folder of the JSON Schemas that actions name: NAME.json, or NAME/VERSION.json. All are checked at "
        "the start. A changed folder is in use within seconds.",
    )
    format_batch_size: int = Field(8, ge=1, le=256, description="Maximum number of texts in one call of the formatter.")
    format_group_id: str | None = Field(
        None,
        min_length=1,
        description="Consumer group of the format workers. Default: SLUICE_GROUP_ID with `-format` appended.",
    )
    format_window: int = Field(
        256,
        ge=1,
        le=65_536,
        description="Maximum number of actions that a format worker has read and not yet acknowledged; over HTTP, of "
        "texts that wait for the formatter.",
    )
    format_deadline_ms: int = Field(
        10_000,
        ge=10,
        le=45_000,
        description="Time limit for formatting one action, in milliseconds. An action can ask for less.",
    )
