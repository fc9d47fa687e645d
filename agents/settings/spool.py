"""Settings of the spool: the records on disk that wait for a broker."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator


class SpoolSettings(BaseModel, title="Spool"):
    """Where records wait for a broker, and how much room they get."""

    spool: Path | None = Field(None, description="File of the spool, on a local disk. See docs/edge.md.")
    spool_max_bytes: int = Field(
        268_435_456,
        ge=8_388_608,
        description="Maximum size of the spool on disk, in bytes: records, log and reserve together.",
    )
    spool_reserve_bytes: int = Field(
        4_194_304,
        ge=4_194_304,
        description="Part of SLUICE_SPOOL_MAX_BYTES that holds no records: room for SQLite's log, and space that is "
        "given up when the disk is full, so that records can still be deleted.",
    )
    spool_when_full: Literal["refuse", "drop_oldest"] = Field(
        "refuse",
        description="What happens to a record for which there is no room: `refuse` refuses it, `drop_oldest` drops the "
        "oldest records for it, and counts them.",
    )

    @model_validator(mode="after")
    def _records_have_room(self) -> Self:
        if self.spool_reserve_bytes > self.spool_max_bytes // 2:
            raise ValueError("SLUICE_SPOOL_RESERVE_BYTES must be at most half of SLUICE_SPOOL_MAX_BYTES")
        return self
